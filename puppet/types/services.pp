# @summary Services by name; undef means all defaults.
type Runit::Services = Hash[Runit::Name, Optional[Runit::Data::Service]]
