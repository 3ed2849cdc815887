# @summary One line of text that is not empty.
type Runit::Line = Variant[Integer, Pattern[/\A[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*\z/]]
