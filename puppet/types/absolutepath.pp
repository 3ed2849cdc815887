# @summary An absolute path that does not lead upwards.
type Runit::Absolutepath = Pattern[/\A\/(?!(.*\/)?\.\.(\/|\z))[^\x00-\x1f\x7f]*\z/]
