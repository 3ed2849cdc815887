# @summary Soft limits; bytes may be written like `512m`. More than the supervisor's hard ones is an error.
type Runit::Limits = Struct[{
  Optional['memory'] => Runit::Size,
  Optional['data'] => Runit::Size,
  Optional['stack'] => Runit::Size,
  Optional['resident'] => Runit::Size,
  Optional['files'] => Integer[0],
  Optional['processes'] => Integer[0],
  Optional['file_size'] => Runit::Size,
  Optional['core'] => Runit::Size,
  Optional['cpu'] => Runit::Span,
}]
