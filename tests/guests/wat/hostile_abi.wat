;; Breaks the canonical ABI where a host has to follow what it is told: where to put a value, and what to take for one.
(component
  (core module $main
    (memory (export "memory") 1)
    ;; Each a pointer and a length, or a list of elements of 4 bytes.
    (data (i32.const 0x100) "\00\02\00\00" "\04\00\00\00") ;; 4 bytes at 0x200
    (data (i32.const 0x108) "\00\02\00\00" "\ff\ff\ff\ff") ;; 2^32 - 1 of them
    (data (i32.const 0x110) "\ff\ff\ff\ff" "\01\00\00\00") ;; from the last address on
    (data (i32.const 0x118) "\00\02\00\00" "\00\00\00\20") ;; 2^29: times 8 it is 2^32, which is 0 in 32 bits
    (data (i32.const 0x120) "\01\02\00\00" "\01\00\00\00") ;; not aligned
    (data (i32.const 0x128) "\00\40\00\00" "\00\40\00\00") ;; 2^14 bytes that are zero
    (data (i32.const 0x130) "\10\02\00\00" "\02\00\00\00") ;; two surrogates of the same half
    (data (i32.const 0x200) "\ff\ff\ff\ff")
    (data (i32.const 0x210) "\00\d8\00\d8")

    (func (export "realloc-traps") (param i32 i32 i32 i32) (result i32) (unreachable))
    (func (export "realloc-spins") (param i32 i32 i32 i32) (result i32) (loop $again (br $again)) (unreachable))
    (func $recurses (export "realloc-recurses") (param i32 i32 i32 i32) (result i32)
      (i32.add (i32.const 1) (call $recurses (local.get 0) (local.get 1) (local.get 2) (local.get 3))))
    (func (export "realloc-beyond") (param i32 i32 i32 i32) (result i32) (i32.const -1))
    (func (export "realloc-across") (param i32 i32 i32 i32) (result i32) (i32.const 0xfffe))
    (func (export "realloc-grows") (param i32 i32 i32 i32) (result i32)
      (loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (i32.const 0))
    ;; Right for bytes, and one off for anything that has to be aligned.
    (func (export "realloc-unaligned") (param i32 i32 i32 i32) (result i32) (i32.const 0x8001))

    (func (export "take") (param i32 i32) (result i32) (local.get 1))
    (func (export "whole") (result i32) (i32.const 0x100))
    (func (export "endless") (result i32) (i32.const 0x108))
    (func (export "outside") (result i32) (i32.const 0x110))
    (func (export "wraps") (result i32) (i32.const 0x118))
    (func (export "unaligned") (result i32) (i32.const 0x120))
    (func (export "many") (result i32) (i32.const 0x128))
    (func (export "unpaired") (result i32) (i32.const 0x130))
    (func (export "large") (result i32) (i32.const 0xd800))
    (func (export "beyond") (result i32) (i32.const -4))
    (func (export "post-traps") (param i32) (unreachable)))
  (core instance $main (instantiate $main))
  (alias core export $main "memory" (core memory $memory))

  (func (export "realloc-traps") (param "text" string) (result u32)
    (canon lift (core func $main "take") (memory $memory) (realloc (core func $main "realloc-traps"))))
  (func (export "realloc-spins") (param "text" string) (result u32)
    (canon lift (core func $main "take") (memory $memory) (realloc (core func $main "realloc-spins"))))
  (func (export "realloc-recurses") (param "text" string) (result u32)
    (canon lift (core func $main "take") (memory $memory) (realloc (core func $main "realloc-recurses"))))
  (func (export "realloc-beyond") (param "text" string) (result u32)
    (canon lift (core func $main "take") (memory $memory) (realloc (core func $main "realloc-beyond"))))
  (func (export "realloc-across") (param "text" string) (result u32)
    (canon lift (core func $main "take") (memory $memory) (realloc (core func $main "realloc-across"))))
  (func (export "realloc-grows") (param "text" string) (result u32)
    (canon lift (core func $main "take") (memory $memory) (realloc (core func $main "realloc-grows"))))
  (func (export "realloc-unaligned") (param "numbers" (list u64)) (result u32)
    (canon lift (core func $main "take") (memory $memory) (realloc (core func $main "realloc-unaligned"))))

  (func (export "invalid-utf8") (result string) (canon lift (core func $main "whole") (memory $memory)))
  (func (export "unpaired-utf16") (result string)
    (canon lift (core func $main "unpaired") (memory $memory) string-encoding=utf16))
  (func (export "endless-text") (result string) (canon lift (core func $main "endless") (memory $memory)))
  (func (export "endless-list") (result (list u64)) (canon lift (core func $main "endless") (memory $memory)))
  (func (export "text-outside") (result string) (canon lift (core func $main "outside") (memory $memory)))
  (func (export "list-outside") (result (list u8)) (canon lift (core func $main "outside") (memory $memory)))
  (func (export "length-wraps") (result (list u64)) (canon lift (core func $main "wraps") (memory $memory)))
  (func (export "list-unaligned") (result (list u64)) (canon lift (core func $main "unaligned") (memory $memory)))
  (func (export "texts-of-texts") (result (list string)) (canon lift (core func $main "many") (memory $memory)))
  (func (export "no-character") (result char) (canon lift (core func $main "large")))
  (type $colour (enum "red" "green"))
  (export $exported "colour" (type $colour))
  (func (export "no-such-case") (result $exported) (canon lift (core func $main "large")))
  (func (export "result-outside") (result string) (canon lift (core func $main "beyond") (memory $memory)))
  (func (export "clean-up-traps") (result string)
    (canon lift (core func $main "many") (memory $memory) (post-return (core func $main "post-traps")))))
