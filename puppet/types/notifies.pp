# @summary Services to restart: a name, or several, or a hash that says what each is told.
type Runit::Notifies = Variant[Runit::Line, Array[Runit::Line], Hash[Runit::Line, Runit::Verb]]
