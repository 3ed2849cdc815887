# @summary One line of text that is not empty.
type Runit::Line = Variant[Integer, Pattern[/\A[^[:cntrl:]]*[^[:cntrl:][:space:]][^[:cntrl:]]*\z/]]
