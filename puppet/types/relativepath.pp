# @summary A path within a service directory.
type Runit::Relativepath = Pattern[/\A(?!(.*\/)?\.\.(\/|\z))[^\/[:cntrl:]][^[:cntrl:]]*\z/]
