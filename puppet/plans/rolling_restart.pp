# @summary Restarts one service on many targets, some at a time, and stops as soon as one of them does not run again.
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
# @param at_once
#   How many targets are restarted at the same time.
#
# @param wait
#   Seconds that each may take.
#
# @return [ResultSet]
#   The status of the service on every target, after the last restart.
#
plan runit::rolling_restart (
  TargetSpec          $targets,
  Runit::Name         $service,
  Optional[String[1]] $user    = undef,
  Integer[1]          $at_once = 1,
  Integer[0]          $wait    = 30,
) {
  $all = get_targets($targets)
  $words = runit::given({ 'service' => $service, 'user' => $user, 'wait' => $wait })
  # What is not there, or broken already, is found before anything is restarted.
  run_task('runit::status', $all, runit::given({ 'service' => $service, 'user' => $user, '_description' => 'before' }))
  $all.slice($at_once).each |$some| {
    run_task('runit::sv', $some, $words + { 'action' => 'restart', '_description' => 'restart' })
    run_task('runit::sv', $some, $words + { 'action' => 'check', '_description' => 'does it run?' })
  }
  return run_task('runit::status', $all, runit::given({ 'service' => $service, 'user' => $user, '_description' => 'after' }))
}
