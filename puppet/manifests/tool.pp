# @summary Brings runit-provision itself: wheels from the file server, in a virtual environment of their own.
#
# @api private
#
class runit::tool {
  if $runit::tool_source {
    $script = "${runit::tool_directory}/tool.sh"
    $arguments = [$runit::tool_directory, $runit::tool_python]
    $program = [$runit::command].flatten[0]
    $installed = "${runit::tool_directory}/current/bin/runit-provision"

    package { $runit::tool_packages:
      ensure => present,
      before => Exec['runit-provision install'],
    }

    file {
      default:
        owner => 'root',
        group => 0;
      $runit::tool_directory:
        ensure => directory,
        mode   => '0755';
      $script:
        ensure => file,
        mode   => '0644',
        source => 'puppet:///modules/runit/tool.sh';
      "${runit::tool_directory}/wheels":
        ensure  => directory,
        mode    => '0644',
        source  => $runit::tool_source,
        recurse => true,
        purge   => true,
        force   => true;
    }

    -> exec { 'runit-provision install':
      command => ['sh', $script, 'install'] + $arguments,
      unless  => [['sh', $script, 'is-there'] + $arguments],
      path    => $facts['path'],
      timeout => 0,
    }

    unless $program == $installed {
      file { $program:
        ensure  => link,
        target  => $installed,
        require => Exec['runit-provision install'],
      }
    }
  }
}
