;; A tool whose answers break the canonical ABI in as many ways as there are. The digit in `{"case":N}` chooses.
(component
  (core module $main
    (memory (export "memory") 1)
    (global $spin (mut i32) (i32.const 0))

    ;; Result areas, 12 bytes each: discriminant, string pointer, string length.
    (data (i32.const 0x100) "\00\00\00\00" "\00\02\00\00" "\01\00\00\00") ;; 0: `7`
    (data (i32.const 0x110) "\00\00\00\00" "\00\03\00\00" "\08\00\00\00") ;; 1: `not JSON`
    (data (i32.const 0x140) "\00\00\00\00" "\fc\ff\00\00" "\08\00\00\00") ;; 4: a string across the end of memory
    (data (i32.const 0x150) "\00\00\00\00" "\00\02\00\00" "\ff\ff\ff\ff") ;; 5: a string of 4 GiB
    (data (i32.const 0x160) "\00\00\00\00" "\00\04\00\00" "\02\00\00\00") ;; 6: a string that is not UTF-8
    (data (i32.const 0x170) "\02\00\00\00" "\00\02\00\00" "\01\00\00\00") ;; 7: neither `ok` nor `err`
    (data (i32.const 0x200) "7")
    (data (i32.const 0x300) "not JSON")
    (data (i32.const 0x400) "\ff\fe")

    ;; The host writes the input to 0x1000; an input of 12 bytes (`{"case":100}`) is sent past the end of memory.
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
      (if (i32.eq (local.get 3) (i32.const 12)) (then (return (i32.const 0x10000))))
      (i32.const 0x1000))

    (func $recurse (param i32) (result i32)
      (i32.add (call $recurse (i32.add (local.get 0) (i32.const 1))) (local.get 0)))

    (func (export "invoke") (param $input i32) (param $length i32) (result i32)
      (local $case i32)
      (local.set $case (i32.sub (i32.load8_u offset=8 (local.get $input)) (i32.const 48)))
      ;; 2: a result area past the end of memory
      (if (i32.eq (local.get $case) (i32.const 2)) (then (return (i32.const 0xfffffff0))))
      ;; 3: a result area that is not aligned
      (if (i32.eq (local.get $case) (i32.const 3)) (then (return (i32.const 0x101))))
      ;; 8: a call without end
      (if (i32.eq (local.get $case) (i32.const 8)) (then (return (call $recurse (i32.const 0)))))
      ;; 9: the right answer, and a clean-up without end
      (if (i32.eq (local.get $case) (i32.const 9))
        (then (global.set $spin (i32.const 1)) (local.set $case (i32.const 0))))
      (i32.add (i32.const 0x100) (i32.mul (local.get $case) (i32.const 16))))

    (func (export "post-return") (param i32)
      (loop $again (br_if $again (global.get $spin)))))

  (core instance $main (instantiate $main))
  (type $error (record (field "code" string) (field "message" string) (field "data" (option string))))
  (func $invoke (param "input" string) (result (result string (error $error)))
    (canon lift (core func $main "invoke")
      (memory (core memory $main "memory")) (realloc (core func $main "cabi_realloc"))
      (post-return (core func $main "post-return"))))

  ;; A record that an exported function uses has to be exported by name beside it.
  (component $handler
    (type $record (record (field "code" string) (field "message" string) (field "data" (option string))))
    (import "error" (type $error (eq $record)))
    (import "invoke" (func $invoke (param "input" string) (result (result string (error $error)))))
    (type $exported (record (field "code" string) (field "message" string) (field "data" (option string))))
    (export $tool-error "tool-error" (type $exported))
    (export "invoke" (func $invoke) (func (param "input" string) (result (result string (error $tool-error))))))
  (instance $handler (instantiate $handler (with "error" (type $error)) (with "invoke" (func $invoke))))
  (export "cortex:tool/handler@0.1.0" (instance $handler)))
