# @summary Instances of a service: a list of names, or a hash that says how each differs.
type Runit::Instances = Variant[Array[Runit::Name], Hash[Runit::Name, Optional[Runit::Data::Service]]]
