# @summary A value, or another one where there is none.
#
# @api private
#
# @param value
#   What is wanted.
#
# @param default
#   What is taken when it is undef.
#
# @return [Any]
#   One of both.
function runit::or(Any $value, Any $default) >> Any {
  $value ? {
    undef   => $default,
    default => $value,
  }
}
