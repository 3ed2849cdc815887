# @summary Whether apply makes a user's login, and how; `true` is all defaults.
type Runit::Manage = Variant[
  Boolean,
  Optional[Variant[
    Struct[{
      Optional['uid'] => Optional[Integer[1, 4294967294]],
      Optional['gid'] => Optional[Integer[1, 4294967294]],
      Optional['shell'] => Optional[Runit::Absolutepath],
      Optional['comment'] => Optional[Runit::Comment],
      Optional['system'] => Optional[Boolean],
      Optional['skeleton'] => Optional[Boolean],
      Optional['home_mode'] => Optional[Runit::Mode],
    }],
  ]],
]
