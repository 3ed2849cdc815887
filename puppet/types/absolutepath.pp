# @summary An absolute path that does not lead upwards.
type Runit::Absolutepath = Pattern[/\A\/(?!(.*\/)?\.\.(\/|\z))[^[:cntrl:]]*\z/]
