# @summary What runsv calls a signal.
type Runit::Letter = Enum['t', 'd', 'u', 'x', 'k', '1', '2', 'h', 'a', 'i', 'q', 'c', 'p']
