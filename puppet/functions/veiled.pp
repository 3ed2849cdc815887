# @summary Data as a parameter of a resource: as a secret when some of it is one, so that PuppetDB and reports are not told any of it.
#
# @param data
#   A hash of what YAML can say, of secrets, and of what is deferred.
#
# @return [Variant[Hash, Sensitive[Hash]]]
#   The same hash.
function runit::veiled(Hash $data) >> Variant[Hash, Sensitive[Hash]] {
  $data ? {
    Hash[String, Data] => $data,
    default            => Sensitive($data),
  }
}
