# @summary How often a service may end by itself before it stays down.
type Runit::Restart = Variant[
  Enum['always', 'never'],
  Struct[{
    Optional['at_most'] => Integer[0],
    Optional['within'] => Runit::Span,
    Optional['forget'] => Runit::Span,
    Optional['back_off'] => Runit::Span,
  }],
]
