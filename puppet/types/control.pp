# @summary Scripts in place of signals, by runsv's letter.
type Runit::Control = Hash[Enum['t', 'd', 'u', 'x', 'k', '1', '2', 'h', 'a', 'i', 'q', 'c', 'p'], Runit::Script]
