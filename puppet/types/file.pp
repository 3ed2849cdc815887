# @summary One more file of a service directory: its text, or a hash; or a directory.
type Runit::File = Optional[Variant[
  Runit::Secret,
  Struct[{
    Optional['content'] => Runit::Secret,
    Optional['template'] => Runit::Relativepath,
    Optional['variables'] => Runit::Values,
    Optional['source'] => Runit::Line,
    Optional['mode'] => Runit::Mode,
    Optional['owner'] => Runit::Line,
    Optional['group'] => Runit::Line,
    Optional['restarts'] => Boolean,
  }],
]]
