# @summary Names of services, by the name of the run level.
type Runit::Levels = Hash[Runit::Name, Array[Runit::Name]]
