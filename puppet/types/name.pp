# @summary The name of a service or user: one directory's name that runsvdir starts and that `sv` takes as a name.
type Runit::Name = Pattern[/\A(?![.-])[^\/[:cntrl:]]{1,200}\z/]
