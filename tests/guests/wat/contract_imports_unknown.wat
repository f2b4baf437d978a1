;; A component that wants what no host of ours provides.
(component
  (import "acme:rockets/pad@1.0.0" (instance (export "launch" (func))))
  (core module $main (func (export "answer") (result i32) (i32.const 42)))
  (core instance $main (instantiate $main))
  (func (export "answer") (result u32) (canon lift (core func $main "answer"))))
