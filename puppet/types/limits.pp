# @summary Soft limits; bytes may be written like `512m`. More than the supervisor's hard ones is an error.
type Runit::Limits = Struct[{
  Optional['memory'] => Optional[Runit::Size],
  Optional['data'] => Optional[Runit::Size],
  Optional['stack'] => Optional[Runit::Size],
  Optional['resident'] => Optional[Runit::Size],
  Optional['files'] => Optional[Integer[0]],
  Optional['processes'] => Optional[Integer[0]],
  Optional['file_size'] => Optional[Runit::Size],
  Optional['core'] => Optional[Runit::Size],
  Optional['cpu'] => Optional[Runit::Span],
}]
