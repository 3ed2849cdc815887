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
    $status = $runit::command + ['init', 'status'] + $link + $init
    # Exit status 2 is a link that is not as it should be; where no init is known, as in a container, there is nothing to link to.
    $only_if = $runit::init ? {
      undef   => { 'onlyif' => [['sh', '-c', '"$@"; test $? -eq 2', 'sh'] + $status] },
      default => { 'unless' => [$status] },
    }

    # After apply, which lays the runtime that init starts, and waits for no service as long as nothing scans the directory.
    exec { 'runit-provision init link':
      command   => $runit::command + ['init', 'link'] + $link + $init,
      path      => $facts['path'],
      timeout   => 0,
      logoutput => true,
      require   => Exec['runit-provision apply'],
      *         => $only_if,
    }
  }
}
