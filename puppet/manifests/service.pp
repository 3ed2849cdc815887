# @summary A service of the host, supervised by the host's runsvdir.
#
# It becomes part of the host's one data file. What is not said is as the class's `defaults` say, else as the tool does.
#
# @example A daemon with a log, restarted at most three times in a row
#   runit::service { 'web':
#     command => ['/usr/sbin/web', '--port', '80'],
#     log     => { 'size' => '1m', 'keep' => 10 },
#     restart => { 'at_most' => 3 },
#   }
#
# @example A service in the tree of another one
#   runit::service { 'cluster/node1':
#     command => 'exec node --name one',
#   }
#
# @param command
#   What runs: a list is a program and its arguments, a string a line that the shell reads.
#
# @param run
#   The whole of `run`, instead of `command`: its text, shebang included, or a template or a file. What would have to be written into it (`env`, `user`, `limits` and the like) has no place beside it; of the defaults that is left out, with a warning.
#
# @param before_lines
#   Shell lines that `run` does before the command, as who runs the tree. They see what `env` says, but for names that the shell keeps for itself (IFS, PWD, UID and the like) or cannot write; with a secret in it the script is its owner's alone to read. In the data this is `before`.
#
# @param one_shot
#   It runs once and stays down; a start while it runs makes it run once more (`sv o .` comes first).
#
# @param instances
#   One service for each of these, `NAME_INSTANCE`; scripts and the process find it as `$INSTANCE`, templates as `service.instance`. A hash says of each what it has in place of what the service says, or beside that.
#
# @param services
#   A nested tree: this service is a runsvdir over these.
#
# @param requires
#   Services that have to run, and to pass their check, before this one starts; a one-shot has to have succeeded since boot. A name is one of the same tree; with a slash it is an id as `status` shows it, `/NAME` a service of the host.
#
# @param requires_timeout
#   Seconds that it waits for them; then its start fails, and is tried again.
#
# @param notifies
#   Services that are told whenever this one has ended, a one-shot when it has succeeded: they restart, or do what the hash says. A one-shot runs (once more), any other that is down stays so. Named as in `requires`.
#
# @param user
#   The account that it runs as; default: the tree's owner.
#
# @param group
#   Its group; default: the account's primary one.
#
# @param groups
#   Supplementary groups; all others are dropped.
#
# @param env
#   Environment; null unsets a variable.
#
# @param env_directories
#   More directories in the format of chpst -e, for the program alone; `env` wins.
#
# @param directory
#   Working directory; default: the service directory.
#
# @param chroot
#   Root directory, in which it starts.
#
# @param umask
#   File mode creation mask, octal.
#
# @param nice
#   Niceness that is added.
#
# @param limits
#   Soft limits.
#
# @param lock
#   A file that is locked while it runs; it is opened as the account that it runs as, in its root directory.
#
# @param session
#   It gets a session and process group of its own.
#
# @param close
#   Standard streams that are closed.
#
# @param argv0
#   The name that it is called by.
#
# @param stderr
#   Where standard error goes: to the `log` (the default where there is one) or to the `supervisor`'s own.
#
# @param home
#   HOME.
#
# @param stop
#   How it is told to end, how long that may take (apply waits so long; default: `--timeout`), and whether it is killed then; a lone number is the seconds, a lone word the signal.
#
# @param finish
#   What happens when it has ended; a text is the whole script.
#
# @param restart
#   How often it may end by itself before it stays down; `always` (the default), `never`, or a hash. An end that somebody asked for (`sv restart`, `sv term`) is none of these, and a one-shot stays down anyway.
#
# @param restart_interval
#   Like `restart.within`.
#
# @param restart_count
#   Like `restart.at_most`.
#
# @param clear_interval
#   Like `restart.forget`.
#
# @param check
#   When it is of use; a text is the whole script.
#
# @param ready
#   The descriptor on which the program writes a newline when it is ready, as with s6; `sv start`, `sv check`, and services that require it wait for that, unless `check` says otherwise. Needs the shipped runtime.
#
# @param max_delay
#   It rests 2, 4, 8 and so on seconds, so many at most, before the next start when it ends again and again by itself, each time within as many seconds; `sv start` ends the rest. Needs the shipped runtime.
#
# @param kill_orphans
#   What it leaves behind (daemons that forked away) ends before `finish` and before the next start: by KILL, or when seconds are given by TERM, and KILL after those. Needs the shipped runtime.
#
# @param delegate
#   Who else may control it, and its log; under another runtime than the shipped one only once it was started.
#
# @param control
#   Scripts in place of signals, by letter: t d u x k 1 2 h a i q c p.
#
# @param control_from
#   A directory of such scripts that several services share: each letter is a link to the one there, should there be one; what `control` and `stop` say goes before it.
#
# @param log
#   Its log; `false` for none.
#
# @param log_size
#   Like `log.size`.
#
# @param log_max_files
#   Like `log.keep`.
#
# @param log_min_files
#   Like `log.keep_min`.
#
# @param log_rotate_time
#   Like `log.age`.
#
# @param timestamp
#   Like `log.timestamp`.
#
# @param files
#   Other files of the service directory, by relative path; a text is the content, a path that ends in a slash a directory.
#
# @param basedir
#   Directory that holds `runit/NAME`, the definition, and `logs/NAME`, and is made with them; default: the tree's own places.
#
# @param logdir
#   Directory that holds the log directory, and is made.
#
# @param link
#   The name under which runsvdir finds it, of an instance with `_INSTANCE` behind it; default: its own.
#
# @param ensure
#   `running` (the default), `stopped`, `absent`, or `any`: as people left it (the default with `down`).
#
# @param enabled
#   It starts at boot.
#
# @param down
#   The opposite of `enabled`: a file `down` keeps it from starting by itself.
#
# @param on_change
#   What a running service gets when what it runs was changed; a one-shot that is to restart runs once more.
#
#
define runit::service (
  Optional[Runit::Command]                                    $command          = undef,
  Optional[Runit::Script]                                     $run              = undef,
  Optional[Runit::Text]                                       $before_lines     = undef,
  Optional[Boolean]                                           $one_shot         = undef,
  Optional[Runit::Instances]                                  $instances        = undef,
  Optional[Runit::Services]                                   $services         = undef,
  Optional[Runit::Lines]                                      $requires         = undef,
  Optional[Runit::Span]                                       $requires_timeout = undef,
  Optional[Runit::Notifies]                                   $notifies         = undef,
  Optional[Runit::Line]                                       $user             = undef,
  Optional[Runit::Line]                                       $group            = undef,
  Optional[Runit::Lines]                                      $groups           = undef,
  Optional[Runit::Env]                                        $env              = undef,
  Optional[Array[Runit::Absolutepath]]                        $env_directories  = undef,
  Optional[Runit::Absolutepath]                               $directory        = undef,
  Optional[Runit::Absolutepath]                               $chroot           = undef,
  Optional[Runit::Umask]                                      $umask            = undef,
  Optional[Integer[-40, 40]]                                  $nice             = undef,
  Optional[Runit::Limits]                                     $limits           = undef,
  Optional[Runit::Lock]                                       $lock             = undef,
  Optional[Boolean]                                           $session          = undef,
  Optional[Array[Enum['stdin', 'stdout', 'stderr']]]          $close            = undef,
  Optional[Runit::Line]                                       $argv0            = undef,
  Optional[Enum['log', 'supervisor']]                         $stderr           = undef,
  Optional[Runit::Absolutepath]                               $home             = undef,
  Optional[Runit::Stop]                                       $stop             = undef,
  Optional[Runit::Finish]                                     $finish           = undef,
  Optional[Runit::Restart]                                    $restart          = undef,
  Optional[Runit::Span]                                       $restart_interval = undef,
  Optional[Integer[0]]                                        $restart_count    = undef,
  Optional[Runit::Span]                                       $clear_interval   = undef,
  Optional[Runit::Check]                                      $check            = undef,
  Optional[Integer[3, 65535]]                                 $ready            = undef,
  Optional[Runit::Span]                                       $max_delay        = undef,
  Optional[Runit::Orphans]                                    $kill_orphans     = undef,
  Optional[Runit::Delegate]                                   $delegate         = undef,
  Optional[Runit::Control]                                    $control          = undef,
  Optional[Runit::Absolutepath]                               $control_from     = undef,
  Optional[Runit::Log]                                        $log              = undef,
  Optional[Runit::Size]                                       $log_size         = undef,
  Optional[Integer[0]]                                        $log_max_files    = undef,
  Optional[Integer[0]]                                        $log_min_files    = undef,
  Optional[Runit::Span]                                       $log_rotate_time  = undef,
  Optional[Runit::Timestamp]                                  $timestamp        = undef,
  Optional[Runit::Files]                                      $files            = undef,
  Optional[Runit::Absolutepath]                               $basedir          = undef,
  Optional[Runit::Absolutepath]                               $logdir           = undef,
  Optional[Runit::Name]                                       $link             = undef,
  Optional[Enum['running', 'stopped', 'absent', 'any']]       $ensure           = undef,
  Optional[Boolean]                                           $enabled          = undef,
  Optional[Boolean]                                           $down             = undef,
  Optional[Enum['restart', 'hup', 'term', 'wait', 'nothing']] $on_change        = undef,
) {
  include runit

  runit_service { $title:
    target => $runit::data_file,
    keys   => runit::keys(*$title.split('/')),
    value  => runit::veiled(runit::said()),
  }
}
