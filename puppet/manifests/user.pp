# @summary A user whose services the host supervises: a service directory in the home, managed by a runsvdir that init keeps running.
#
# The account has to exist, or to be in the catalogue as a `user`.
#
# @example As simple as it gets: ~kburdis/service is supervised, its runsvdir logs to ~kburdis/logs/runsvdir/current
#   runit::user { 'kburdis': }
#
# @example With a service and limits for the whole tree
#   runit::user { 'apprun1':
#     limits   => { 'processes' => 200 },
#     services => { 'worker' => { 'command' => ['/opt/app/bin/worker'] } },
#   }
#
# @param account
#   The login whose credentials run the tree; default: the user's name.
#
# @param home
#   Home directory; default: the account's.
#
# @param basedir
#   Directory that holds `service`, `runit` and `logs`; default: the home.
#
# @param service_directory
#   Directory that the user's runsvdir scans; default `~/service`.
#
# @param definitions
#   Directory of the service directories; default `~/runit`.
#
# @param logdir
#   Directory of the log directories; default `~/logs`. One that lies outside of the home, or `basedir`, is made by root and given to the user.
#
# @param group
#   The group that the tree runs as; default: the account's primary one.
#
# @param groups
#   Supplementary groups.
#
# @param env
#   Environment of the whole tree.
#
# @param path
#   PATH of the whole tree; default: the runtime's tools, `~/bin`, and the system's directories.
#
# @param limits
#   Soft limits of the whole tree.
#
# @param nice
#   Niceness that is added.
#
# @param log
#   The log of the user's runsvdir, in `~/logs/runsvdir`.
#
# @param process_title
#   Bytes of the rolling process title that shows what was last written to standard error, and which no log then gets; 0 for none. In the data this is `title`.
#
# @param profile
#   Login shells of the user get SVDIR.
#
# @param ensure
#   The state of the whole tree.
#
# @param enabled
#   The tree starts at boot.
#
# @param manage
#   The login is made where it is missing, with its `group`, `groups` and `home`; `true`, or a hash that says how.
#
# @param purge
#   Services that are found in the user's service directory, and are not in the data, go.
#
# @param purge_logs
#   The logs of services that go, go with them; default: they stay.
#
# @param defaults
#   What the user's services have unless they say otherwise; `KEY: null` in one takes a default away.
#
# @param services
#   The user's services.
#
#
define runit::user (
  Optional[Runit::Line]                                 $account           = undef,
  Optional[Runit::Absolutepath]                         $home              = undef,
  Optional[Runit::Absolutepath]                         $basedir           = undef,
  Optional[Runit::Absolutepath]                         $service_directory = undef,
  Optional[Runit::Absolutepath]                         $definitions       = undef,
  Optional[Runit::Absolutepath]                         $logdir            = undef,
  Optional[Runit::Line]                                 $group             = undef,
  Optional[Runit::Lines]                                $groups            = undef,
  Optional[Runit::Env]                                  $env               = undef,
  Optional[Runit::Line]                                 $path              = undef,
  Optional[Runit::Limits]                               $limits            = undef,
  Optional[Integer[-40, 40]]                            $nice              = undef,
  Optional[Runit::Log]                                  $log               = undef,
  Optional[Integer[0, 4000]]                            $process_title     = undef,
  Optional[Boolean]                                     $profile           = undef,
  Optional[Enum['running', 'stopped', 'absent', 'any']] $ensure            = undef,
  Optional[Boolean]                                     $enabled           = undef,
  Optional[Runit::Manage]                               $manage            = undef,
  Optional[Boolean]                                     $purge             = undef,
  Optional[Boolean]                                     $purge_logs        = undef,
  Optional[Runit::Data::Service]                        $defaults          = undef,
  Optional[Runit::Services]                             $services          = undef,
) {
  include runit

  runit_service { "runsvdir-${title}":
    target => $runit::data_file,
    keys   => ['users', $title],
    value  => runit::veiled(runit::said()),
  }
}
