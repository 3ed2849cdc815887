# @summary Environment variables; null unsets one.
type Runit::Env = Hash[Pattern[/\A[^=\/.\x00-\x1f\x7f][^=\/\x00-\x1f\x7f]*\z/], Optional[Runit::Secret]]
