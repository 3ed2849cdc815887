# @summary Who else may control a service: an account, a group, or both.
type Runit::Delegate = Struct[{
  Optional['user'] => Runit::Line,
  Optional['group'] => Runit::Line,
}]
