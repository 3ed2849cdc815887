# @summary How long apply waits for a service's end, and whether it kills it then; a number is the seconds.
type Runit::Stop = Variant[
  Runit::Span,
  Struct[{
    Optional['seconds'] => Runit::Span,
    Optional['kill'] => Boolean,
  }],
]
