# @summary How often a service may end by itself before it stays down.
type Runit::Restart = Variant[
  Enum['always', 'never'],
  Struct[{
    Optional['at_most'] => Optional[Integer[0]],
    Optional['within'] => Optional[Runit::Span],
    Optional['forget'] => Optional[Runit::Span],
    Optional['back_off'] => Optional[Runit::Span],
  }],
]
