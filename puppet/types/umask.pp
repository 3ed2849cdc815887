# @summary A mask of modes in octal, quoted: "027".
type Runit::Umask = Variant[Integer[0, 7], Pattern[/\A0?[0-7]{1,3}\z/]]
