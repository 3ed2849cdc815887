# @summary What happens when a service has ended: a whole script, or its parts.
type Runit::Finish = Variant[
  Runit::Shebang,
  Struct[{
    Optional['run'] => Runit::Script,
    Optional['lines'] => Runit::Text,
    Optional['mail'] => Runit::Mail,
    Optional['seconds'] => Runit::Span,
  }],
]
