# @summary Bytes: a number, or one with k, m, g or t (powers of 1024).
type Runit::Size = Variant[Integer[0], Pattern[/\A[0-9]{1,18}\s*[kmgtKMGT]?\z/]]
