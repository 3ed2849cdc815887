# @summary A file's mode in octal, quoted: "0755".
type Runit::Mode = Variant[Integer[0, 7], Pattern[/\A([0-7]{3,4}|0[0-7]{4})\z/]]
