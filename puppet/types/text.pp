# @summary Text; a whole number is taken when it is written as it is printed: 8080, but not 0644 or 12:30.
type Runit::Text = Variant[String, Integer]
