;; A component without anything to call.
(component)
