# @summary Restarts one service on many targets, some at a time, and stops as soon as one of them does not stay up.
#
# @param targets
#   Where it runs.
#
# @param service
#   The service's name within its tree.
#
# @param user
#   Whose tree it is in; default: the host's.
#
# @param directory
#   The directory of the tree, where the data say another than /etc/service, or ~USER/service.
#
# @param at_once
#   How many targets are restarted at the same time.
#
# @param wait
#   Seconds that each may take.
#
# @param settle
#   Seconds that it has to stay up before the next targets' turn comes: what ends at once is up for a moment each time that it is started.
#
# @return [ResultSet]
#   The status of the service on every target, after the last restart.
#
plan runit::rolling_restart (
  TargetSpec          $targets,
  Runit::Name         $service,
  Optional[String[1]] $user      = undef,
  Optional[String[1]] $directory = undef,
  Integer[1]          $at_once   = 1,
  Integer[0]          $wait      = 30,
  Integer[0]          $settle    = 5,
) {
  $all = get_targets($targets)
  $status = { 'service' => $service, 'user' => $user, 'directory' => $directory }.filter |$_name, $value| { $value =~ NotUndef }
  $words = $status + { 'wait' => $wait }
  # A target that has no such service is found before any is restarted.
  run_task('runit::status', $all, $status + { '_description' => 'before' })
  $all.slice($at_once).each |$some| {
    run_task('runit::sv', $some, $words + { 'action' => 'restart', '_description' => 'restart' })
    ctrl::sleep($settle)
    run_task('runit::sv', $some, $words + { 'action' => 'check', '_description' => 'is it well?' })
    $fallen = run_task('runit::status', $some, $status + { '_description' => 'did it stay up?' }).filter |$result| {
      $result[$service]['state'] != 'up' or $result[$service]['seconds'] < $settle
    }
    unless $fallen.empty {
      fail_plan("${service} does not stay up on ${fallen.map |$result| { $result.target.name }.join(', ')}", 'runit/does-not-stay-up')
    }
  }
  return run_task('runit::status', $all, $status + { '_description' => 'after' })
}
