# @summary Who is told when a service has ended.
type Runit::Mail = Struct[{
  Optional['on_failure'] => Runit::Line,
  Optional['on_stop'] => Runit::Line,
}]
