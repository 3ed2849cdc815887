# @summary Seconds that they have after TERM; `true` is none, `false` leaves them alone.
type Runit::Orphans = Variant[Boolean, Runit::Span]
