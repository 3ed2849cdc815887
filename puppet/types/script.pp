# @summary A whole script: its text, or a hash that says where that comes from.
type Runit::Script = Variant[
  Runit::Shebang,
  Struct[{
    Optional['content'] => Runit::Shebang,
    Optional['template'] => Runit::Relativepath,
    Optional['variables'] => Runit::Values,
    Optional['source'] => Runit::Line,
  }],
]
