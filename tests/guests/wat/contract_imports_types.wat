;; A component that imports nothing but a type, which asks the host for nothing.
(component
  (import "acme:shapes/types@1.0.0" (instance (type (enum "circle" "square")) (export "shape" (type (eq 0)))))
  (core module $main (func (export "answer") (result i32) (i32.const 42)))
  (core instance $main (instantiate $main))
  (func (export "answer") (result u32) (canon lift (core func $main "answer"))))
