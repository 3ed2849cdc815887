# @summary What a template is given, by name.
type Runit::Values = Hash[Pattern[/\A[A-Za-z_][A-Za-z0-9_]*\z/], Any]
