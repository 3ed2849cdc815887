# @summary A program and its arguments: each arrives as it stands here.
type Runit::Words = Array[Runit::Text, 1]
