# @summary One more file of a service directory: its text, or a hash.
type Runit::File = Variant[
  Runit::Secret,
  Struct[{
    'content' => Runit::Secret,
    Optional['mode'] => Runit::Mode,
    Optional['restarts'] => Boolean,
  }],
]
