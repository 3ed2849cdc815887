# @summary A lock that is held while the service runs: its file, or a hash that says not to wait for it.
type Runit::Lock = Variant[
  Runit::Absolutepath,
  Struct[{ 'path' => Runit::Absolutepath, Optional['wait'] => Boolean }],
]
