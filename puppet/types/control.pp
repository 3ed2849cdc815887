# @summary Scripts in place of signals, by runsv's letter.
type Runit::Control = Hash[Runit::Letter, Runit::Script]
