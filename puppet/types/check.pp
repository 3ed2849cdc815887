# @summary When a service is of use: a whole script, or what has to be so.
type Runit::Check = Variant[
  Runit::Shebang,
  Runit::Probe,
  Array[Runit::Probe],
  Struct[{
    Optional['run'] => Optional[Runit::Script],
    Optional['all'] => Optional[Array[Runit::Probe]],
    Optional['timeout'] => Optional[Runit::Span],
  }],
]
