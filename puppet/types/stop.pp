# @summary How a service is told to end: a signal, or seconds, or a hash.
type Runit::Stop = Variant[
  Runit::Span,
  Enum['hup', 'alarm', 'interrupt', 'quit', 'term', 'kill'],
  Struct[{
    Optional['signal'] => Optional[Runit::Signal],
    Optional['seconds'] => Optional[Runit::Span],
    Optional['kill'] => Optional[Boolean],
  }],
]
