;; Makes as many handles of a resource of its own as it is told: no function of the host is called for any of them.
(component
  (core module $drops (func (export "drop") (param i32)))
  (core instance $drops (instantiate $drops))
  (type $thing (resource (rep i32) (dtor (core func $drops "drop"))))
  (core func $new (canon resource.new $thing))
  (core module $main
    (import "host" "new" (func $new (param i32) (result i32)))
    (func (export "make") (param $count i32) (result i32)
      (local $made i32)
      (loop $again
        (drop (call $new (local.get $made)))
        (local.set $made (i32.add (local.get $made) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $made) (local.get $count))))
      (local.get $made)))
  (core instance $main (instantiate $main (with "host" (instance (export "new" (func $new))))))
  (func (export "make") (param "count" u32) (result u32) (canon lift (core func $main "make"))))
