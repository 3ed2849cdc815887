# @summary What runs: a list is a program and its arguments, a string a line that the shell reads.
type Runit::Command = Variant[Pattern[/\S/], Runit::Words]
