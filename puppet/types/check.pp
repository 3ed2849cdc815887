# @summary When a service is of use: a whole script, or what has to be so.
type Runit::Check = Variant[
  Runit::Shebang,
  Runit::Probe,
  Array[Runit::Probe],
  Struct[{
    Optional['run'] => Runit::Script,
    Optional['all'] => Array[Runit::Probe],
    Optional['timeout'] => Runit::Span,
  }],
]
