# @summary Users with services of their own: a list of names, or a hash of them.
type Runit::Users = Variant[Runit::Name, Array[Runit::Name], Hash[Runit::Name, Optional[Runit::Data::User]]]
