# @summary The services of a nested tree, by name: each is like a `Runit::Data::Service`.
#
# Puppet cannot resolve an alias of a struct that contains itself, so what a hash says is left to the tool to judge.
type Runit::Tree = Hash[Runit::Name, Optional[Hash[String[1], Any]]]
