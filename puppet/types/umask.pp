# @summary A mask of modes: "027" (octal), or a number as YAML reads 027.
type Runit::Umask = Variant[Integer[0, 511], Pattern[/\A[0-7]{1,4}\z/]]
