# @summary A full name, as passwd can hold it.
type Runit::Comment = Pattern[/\A[^:\x00-\x1f\x7f]*\z/]
