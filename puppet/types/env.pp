# @summary Environment variables; undef unsets one.
type Runit::Env = Hash[Pattern[/\A[^=\/.[:cntrl:]][^=\/[:cntrl:]]*\z/], Optional[Runit::Secret]]
