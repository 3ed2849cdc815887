# @summary A group of the host.
type Runit::Group = Struct[{
  Optional['gid'] => Integer[1, 4294967294],
  Optional['system'] => Boolean,
}]
