# @summary A whole script, its shebang included.
type Runit::Script = Pattern[/\A#! ?\/\S/]
