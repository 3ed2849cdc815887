# @summary Makes the host as the data says, by one command, when `check` finds a difference.
#
# @api private
#
class runit::apply {
  $data = ['--data', $runit::data_file]

  exec { 'runit-provision apply':
    command   => $runit::command + ['apply'] + $data + $runit::apply_options,
    unless    => [$runit::command + ['check'] + $data],
    path      => $facts['path'],
    timeout   => 0,
    logoutput => true,
  }

  if $runit::manage_init and $runit::data['runtime'] == 'shipped' {
    $link = [
      '--service-directory', runit::or($runit::data['service_directory'], '/etc/service'),
      '--prefix', runit::or($runit::data['prefix'], '/usr/local'),
    ]
    $init = $runit::init ? {
      undef   => [],
      default => ['--init', $runit::init],
    }

    exec { 'runit-provision init link':
      command   => $runit::command + ['init', 'link'] + $link + $init,
      unless    => [$runit::command + ['init', 'status'] + $link + $init],
      path      => $facts['path'],
      timeout   => 0,
      logoutput => true,
      require   => Exec['runit-provision apply'],
    }
  }
}
