# @summary Who else may control a service.
type Runit::Delegate = Struct[{
  Optional['user'] => Optional[Runit::Line],
  Optional['group'] => Optional[Runit::Line],
}]
