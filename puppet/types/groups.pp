# @summary Groups by name.
type Runit::Groups = Hash[Runit::Name, Runit::Group]
