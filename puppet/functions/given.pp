# @summary Those of some values that were given: all that are not undef.
#
# @param values
#   Values by name.
#
# @return [Hash[String, Any]]
#   The ones that are not undef.
function runit::given(Hash[String, Any] $values) >> Hash[String, Any] {
  $values.filter |$_name, $value| { $value =~ NotUndef }
}
