;; Looks for what an earlier call left behind, then leaves as much as it can: in memory, in a table and in a global.
(component
  (core module $main
    (memory 16 512)
    (table $table 64 20000 funcref)
    (global $global (mut i64) (i64.const 0))
    (elem declare func $mark)
    (func $mark)

    ;; How many words of all memory that can be had are not zero.
    (func (export "found") (result i32)
      (local $at i32) (local $found i32) (local $end i32)
      (drop (memory.grow (i32.const 240)))
      (drop (table.grow $table (ref.null func) (i32.const 1000)))
      (local.set $end (i32.shl (memory.size) (i32.const 16)))
      (loop $next
        (local.set $found (i32.add (local.get $found) (i64.ne (i64.load (local.get $at)) (i64.const 0))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
      (local.set $at (i32.const 0))
      (loop $next
        (local.set $found
          (i32.add (local.get $found) (i32.eqz (ref.is_null (table.get $table (local.get $at))))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $at) (table.size $table))))
      (local.set $found (i32.add (local.get $found) (i64.ne (global.get $global) (i64.const 0))))
      ;; Now leave traces for the next one.
      (memory.fill (i32.const 0) (i32.const 0xa5) (local.get $end))
      (table.fill $table (i32.const 0) (ref.func $mark) (table.size $table))
      (global.set $global (i64.const -1))
      (local.get $found)))
  (core instance $main (instantiate $main))
  (func (export "found") (result u32) (canon lift (core func $main "found"))))
