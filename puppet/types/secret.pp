# @summary Text that may be a secret: then no log, plan or world-readable file shows it.
type Runit::Secret = Variant[String, Integer, Sensitive[Variant[String, Integer, Deferred]], Deferred]
