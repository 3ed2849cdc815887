# @summary A pattern of svlogd, with its sign.
type Runit::Filter = Pattern[/\A[-+eE][^\x00-\x1f\x7f]+\z/]
