# @summary Mail when the service has ended, by the system's `mail`, which may take 30 seconds.
type Runit::Mail = Struct[{
  Optional['on_failure'] => Runit::Address,
  Optional['on_stop'] => Runit::Address,
  Optional['interval'] => Runit::Span,
}]
