# @summary The name of a service or a user: one directory's name that runsvdir starts and that `sv` takes as a name.
type Runit::Name = Pattern[/\A(?![.-])[^\/\x00-\x1f\x7f]{1,200}\z/]
