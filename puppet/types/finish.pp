# @summary What happens when a service has ended: a whole script, or its parts.
type Runit::Finish = Variant[
  Runit::Shebang,
  Struct[{
    Optional['run'] => Optional[Runit::Script],
    Optional['lines'] => Optional[Runit::Text],
    Optional['mail'] => Optional[Runit::Mail],
    Optional['seconds'] => Optional[Runit::Span],
  }],
]
