# @summary Has the distribution's runit installed where the data asks for it. The shipped runtime comes with the tool.
#
# @api private
#
class runit::install {
  if $runit::manage_package {
    case $runit::data['runtime'] {
      'package': {
        unless $runit::package_name {
          fail("runit: no repository of the family ${facts['os']['family']} is known to have runit; name its package in `runit::package_name`, or let `runtime` be `shipped` or `package_file`")
        }

        package { $runit::package_name:
          ensure   => $runit::package_ensure,
          provider => $runit::package_provider,
        }
      }
      'package_file': {
        $filestore = runit::or($runit::data['filestore'], 'puppet:///files')
        $workspace = runit::or($runit::data['workspace'], '/var/cache/runit-provision')
        $package_file = "${workspace}/${runit::data['package_file']}"

        file { $workspace:
          ensure => directory,
          owner  => 'root',
          group  => 0,
          mode   => '0755',
        }

        file { $package_file:
          ensure => file,
          owner  => 'root',
          group  => 0,
          mode   => '0644',
          source => "${filestore}/${runit::data['package_file']}",
        }

        package { runit::package($runit::data['package_file']):
          ensure   => $runit::package_ensure,
          provider => runit::or($runit::package_provider, runit::provider($package_file)),
          source   => $package_file,
          require  => File[$package_file],
        }
      }
      default: {}
    }
  }
}
