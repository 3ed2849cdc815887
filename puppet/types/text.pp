# @summary Text; a whole number is taken as it would be printed.
type Runit::Text = Variant[String, Integer]
