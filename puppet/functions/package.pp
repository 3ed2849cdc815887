# @summary The name of the package in a package's file.
#
# @api private
#
# @param file
#   The file's name: NAME-VERSION.rpm, or NAME_VERSION.deb.
#
# @return [String[1]]
#   The name.
function runit::package(String[1] $file) >> String[1] {
  $file.regsubst('(.)[-_][0-9].*', '\1')
}
