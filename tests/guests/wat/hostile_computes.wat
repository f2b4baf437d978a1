;; Computes without end, in every way there is: each function is one attack, none of them returns.
(component
  (core module $main
    (memory 256 256)
    (table $table 100000 funcref)
    (elem declare func $tail)
    (elem (table $table) (i32.const 0) func $again)
    (data $bytes "a passive segment of bytes")
    (type $to-u32 (func (result i32)))

    (func (export "loop") (result i32)
      (loop $again (br $again)) (unreachable))

    ;; A loop whose only way back is a jump table.
    (func (export "jump") (result i32)
      (loop $again (br_table $again $again $again (i32.const 7))) (unreachable))

    ;; 2^60 calls, never more than 60 deep.
    (func $branch (param i32)
      (if (local.get 0)
        (then
          (call $branch (i32.sub (local.get 0) (i32.const 1)))
          (call $branch (i32.sub (local.get 0) (i32.const 1))))))
    (func (export "recurse") (result i32) (call $branch (i32.const 60)) (i32.const 0))

    ;; As deep as the stack is.
    (func $deeper (param i32) (result i32)
      (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (local.get 0)))
    (func (export "overflow") (result i32) (call $deeper (i32.const 0)))

    ;; A frame so large that the guard page of a stack could be stepped over.
    (func $wide (param i64) (result i64)
      (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
      (local.set 1 (call $wide (i64.add (local.get 0) (i64.const 1))))
      (local.set 2 (call $wide (i64.add (local.get 1) (i64.const 2))))
      (local.set 3 (call $wide (i64.add (local.get 2) (i64.const 3))))
      (i64.add (i64.add (local.get 1) (local.get 2)) (i64.add (local.get 3) (local.get 0))))
    (func (export "overflow-wide") (result i32) (i32.wrap_i64 (call $wide (i64.const 0))))

    ;; Tail calls need no stack: nothing but fuel and time can end them.
    (func $tail (result i32) (return_call $tail))
    (func (export "tail-call") (result i32) (call $tail))

    ;; The same through a table.
    (func $again (result i32) (return_call_indirect $table (type $to-u32) (i32.const 0)))
    (func (export "tail-call-indirect") (result i32) (call $again))

    ;; One instruction that works on 16 MiB, again and again.
    (func (export "memory-fill") (result i32)
      (loop $again
        (memory.fill (i32.const 0) (i32.const 7) (i32.const 0x1000000)) (br $again))
      (unreachable))
    (func (export "memory-copy") (result i32)
      (loop $again
        (memory.copy (i32.const 0) (i32.const 0x800000) (i32.const 0x800000)) (br $again))
      (unreachable))
    (func (export "memory-init") (result i32)
      (loop $again
        (memory.init $bytes (i32.const 0) (i32.const 0) (i32.const 26)) (br $again))
      (unreachable))
    (func (export "table-fill") (result i32)
      (loop $again
        (table.fill $table (i32.const 1) (ref.null func) (i32.const 99999)) (br $again))
      (unreachable))
    (func (export "table-copy") (result i32)
      (loop $again
        (table.copy $table $table (i32.const 0) (i32.const 50000) (i32.const 50000)) (br $again))
      (unreachable))

    ;; Growth that is refused by the memory's own maximum, again and again.
    (func (export "memory-grow") (result i32)
      (loop $again (br_if $again (i32.eq (memory.grow (i32.const 1)) (i32.const -1))))
      (unreachable)))
  (core instance $main (instantiate $main))
  (func (export "loop") (result u32) (canon lift (core func $main "loop")))
  (func (export "jump") (result u32) (canon lift (core func $main "jump")))
  (func (export "recurse") (result u32) (canon lift (core func $main "recurse")))
  (func (export "overflow") (result u32) (canon lift (core func $main "overflow")))
  (func (export "overflow-wide") (result u32) (canon lift (core func $main "overflow-wide")))
  (func (export "tail-call") (result u32) (canon lift (core func $main "tail-call")))
  (func (export "tail-call-indirect") (result u32) (canon lift (core func $main "tail-call-indirect")))
  (func (export "memory-fill") (result u32) (canon lift (core func $main "memory-fill")))
  (func (export "memory-copy") (result u32) (canon lift (core func $main "memory-copy")))
  (func (export "memory-init") (result u32) (canon lift (core func $main "memory-init")))
  (func (export "table-fill") (result u32) (canon lift (core func $main "table-fill")))
  (func (export "table-copy") (result u32) (canon lift (core func $main "table-copy")))
  (func (export "memory-grow") (result u32) (canon lift (core func $main "memory-grow"))))
