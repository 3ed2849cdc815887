# @summary The keys that lead to a service in the data: `parent/child` is the service `child` in the tree of `parent`.
#
# @param service
#   The service's name within its tree.
#
# @return [Array[String]]
#   `services`, the name, and so on for each slash.
function runit::keys(String[1] $service) >> Array[String] {
  $service.split('/').map |Runit::Name $name| { ['services', $name] }.flatten
}
