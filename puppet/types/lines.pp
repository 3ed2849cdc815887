# @summary One line, or several.
type Runit::Lines = Variant[Runit::Line, Array[Runit::Line]]
