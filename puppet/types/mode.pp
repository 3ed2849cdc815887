# @summary A file's mode: "0755" (octal), or a number as YAML reads 0755.
type Runit::Mode = Variant[Integer[0, 4095], Pattern[/\A0?[0-7]{3,4}\z/]]
