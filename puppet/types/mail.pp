# @summary Mail when the service has ended, by the system's `mail`, which may take 30 seconds.
type Runit::Mail = Struct[{
  Optional['on_failure'] => Optional[Runit::Address],
  Optional['on_stop'] => Optional[Runit::Address],
  Optional['interval'] => Optional[Runit::Span],
}]
