# @summary A path within a service directory.
type Runit::Relativepath = Pattern[/\A(?!(.*\/)?\.\.(\/|\z))[^\/\x00-\x1f\x7f][^\x00-\x1f\x7f]*\z/]
