# @summary Makes the host as the data says, has init start it, and then each service.
#
# @api private
#
class runit::apply {
  $tool = [$runit::command].flatten

  runit_host { $runit::data_file:
    command => $tool,
    options => $runit::apply_options,
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
    $status = $tool + ['init', 'status'] + $link + $init
    # Exit status 2 is a link that is not as it should be; where no init is known, as in a container, there is nothing to link to.
    $only_if = $runit::init ? {
      undef   => { 'onlyif' => [['sh', '-c', '"$@"; test $? -eq 2', 'sh'] + $status] },
      default => { 'unless' => [$status] },
    }

    # Between the host, which has the runtime that init starts, and the services, which come up when it has.
    exec { 'runit-provision init link':
      command   => $tool + ['init', 'link'] + $link + $init,
      path      => $facts['path'],
      timeout   => 0,
      logoutput => true,
      require   => Runit_host[$runit::data_file],
      *         => $only_if,
    }
  }
}
