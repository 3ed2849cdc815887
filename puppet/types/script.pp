# @summary A whole script: its text, or a hash that says where that comes from.
type Runit::Script = Variant[
  Runit::Shebang,
  Struct[{
    Optional['content'] => Optional[Runit::Shebang],
    Optional['template'] => Optional[Runit::Relativepath],
    Optional['variables'] => Optional[Runit::Values],
    Optional['source'] => Optional[Runit::Line],
  }],
]
