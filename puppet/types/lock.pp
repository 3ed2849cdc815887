# @summary A lock that is held while the service runs: its file, or a hash that says not to wait for it.
type Runit::Lock = Variant[
  Pattern[/\A\//],
  Struct[{
    'path' => Runit::Absolutepath,
    Optional['wait'] => Optional[Boolean],
  }],
]
