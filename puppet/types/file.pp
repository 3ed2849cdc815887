# @summary One more file of a service directory: its text, or a hash; or a directory.
type Runit::File = Optional[Variant[
  Runit::Secret,
  Struct[{
    Optional['content'] => Optional[Runit::Secret],
    Optional['template'] => Optional[Runit::Relativepath],
    Optional['variables'] => Optional[Runit::Values],
    Optional['source'] => Optional[Runit::Line],
    Optional['mode'] => Optional[Runit::Mode],
    Optional['owner'] => Optional[Runit::Line],
    Optional['group'] => Optional[Runit::Line],
    Optional['restarts'] => Optional[Boolean],
  }],
]]
