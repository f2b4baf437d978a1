;; Throws and catches without end: exceptions lost fuel in GHSA-m63x, and nothing here needs them.
(component
  (core module $main
    (tag $ball)
    (func (export "catch") (result i32)
      (loop $again
        (block $caught
          (try_table (catch $ball $caught) (throw $ball)))
        (br $again))
      (unreachable)))
  (core instance $main (instantiate $main))
  (func (export "catch") (result u32) (canon lift (core func $main "catch"))))
