# @summary Services by name; null means all defaults.
type Runit::Services = Hash[Runit::Name, Optional[Runit::Data::Service]]
