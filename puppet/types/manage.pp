# @summary Whether apply makes a user's login, and how; `true` is all defaults.
type Runit::Manage = Variant[
  Boolean,
  Optional[Variant[
    Struct[{
      Optional['uid'] => Integer[1, 4294967294],
      Optional['gid'] => Integer[1, 4294967294],
      Optional['shell'] => Runit::Absolutepath,
      Optional['comment'] => Runit::Comment,
      Optional['system'] => Boolean,
      Optional['skeleton'] => Boolean,
      Optional['home_mode'] => Runit::Mode,
    }],
  ]],
]
