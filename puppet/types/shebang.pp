# @summary The text of a whole script, its shebang included.
type Runit::Shebang = Pattern[/\A#! ?\/\S/]
