;; A memory and a table with maxima of their own: growing past those is refused by the specification, not by a limit.
(component
  (core module $main
    (memory 1 4)
    (table 1 4 funcref)
    (func (export "memory") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "table") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))
  (core instance $main (instantiate $main))
  (func (export "memory") (param "pages" u32) (result s32) (canon lift (core func $main "memory")))
  (func (export "table") (param "elements" u32) (result s32) (canon lift (core func $main "table"))))
