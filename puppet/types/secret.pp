# @summary Text that may be a secret: then no log, report or world-readable file shows it.
type Runit::Secret = Variant[Runit::Text, Sensitive[Runit::Text]]
