# @summary The provider that installs a package's file.
#
# @api private
#
# @param file
#   Its name.
#
# @return [Optional[String]]
#   The name of the provider; undef leaves it to the system.
function runit::provider(String[1] $file) >> Optional[String] {
  $file ? {
    /\.rpm\z/ => 'rpm',
    /\.deb\z/ => 'dpkg',
    default   => undef,
  }
}
