# @summary Mail when the service has ended, by the system's `mail`.
type Runit::Mail = Struct[{
  Optional['on_failure'] => Runit::Line,
  Optional['on_stop'] => Runit::Line,
}]
