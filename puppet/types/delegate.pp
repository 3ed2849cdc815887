# @summary Who else may control a service.
type Runit::Delegate = Struct[{
  Optional['user'] => Runit::Line,
  Optional['group'] => Runit::Line,
}]
