# @summary A group of the host.
type Runit::Group = Struct[{
  Optional['gid'] => Optional[Integer[1, 4294967294]],
  Optional['system'] => Optional[Boolean],
}]
