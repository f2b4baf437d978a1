;; A component that imports a WASI function with another type than it has.
(component
  (import "wasi:random/random@0.2.0" (instance (export "get-random-u64" (func (result bool)))))
  (core module $main (func (export "answer") (result i32) (i32.const 42)))
  (core instance $main (instantiate $main))
  (func (export "answer") (result u32) (canon lift (core func $main "answer"))))
