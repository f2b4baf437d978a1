;; Eight core instances that do nothing, and one that answers.
(component
  (core module $idle (func (export "idle")))
  (core instance (instantiate $idle))
  (core instance (instantiate $idle))
  (core instance (instantiate $idle))
  (core instance (instantiate $idle))
  (core instance (instantiate $idle))
  (core instance (instantiate $idle))
  (core instance (instantiate $idle))
  (core instance (instantiate $idle))
  (core module $main (func (export "answer") (result i32) (i32.const 42)))
  (core instance $main (instantiate $main))
  (func (export "answer") (result u32) (canon lift (core func $main "answer"))))
