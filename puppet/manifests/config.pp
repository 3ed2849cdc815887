# @summary Lays all of the data in one file, which the tool judges before it takes the place of the old one.
#
# @api private
#
class runit::config {
  file { $runit::config_directory:
    ensure => directory,
    owner  => 'root',
    group  => 0,
    mode   => '0755',
  }

  # For the fact, which knows no parameters.
  file { "${runit::config_directory}/command":
    ensure  => file,
    owner   => 'root',
    group   => 0,
    mode    => '0644',
    content => [$runit::command].flatten.map |$word| { "${word}\n" }.join,
  }

  runit_data { $runit::data_file:
    data    => runit::veiled($runit::data),
    owner   => 'root',
    command => [$runit::command].flatten,
  }
}
