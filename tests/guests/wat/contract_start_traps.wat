;; A component that crashes before anything of it is called.
(component
  (core module $main
    (func $start unreachable)
    (start $start)
    (func (export "answer") (result i32) (i32.const 42)))
  (core instance $main (instantiate $main))
  (func (export "answer") (result u32) (canon lift (core func $main "answer"))))
