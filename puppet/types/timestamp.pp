# @summary What each line of a log starts with.
type Runit::Timestamp = Variant[Boolean, Enum['none', 'tai64n', '-t', 'utc', '-tt', 'iso', '-ttt']]
