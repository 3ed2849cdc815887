# @summary Runit services for a host and for its users, from data.
#
# The data is the hash `runit` in hiera, or this class's parameters (`runit::users`), and what `runit::user`, `runit::service` and
# `runit::user::service` add. All of it is laid in one file, which one run of `runit-provision apply` makes true; whether there is
# anything to do is asked with `runit-provision check`, which changes nothing, so that noop tells of drift.
#
# @example In a manifest
#   include runit
#
# @example In hiera
#   runit:
#     users: [apprun1, apprun2]
#     services:
#       web:
#         command: [/usr/sbin/web, --port, '80']
#         log: true
#
# @param command
#   The tool: its absolute path, and arguments that come first if there are any.
#
# @param tool_source
#   Folder of wheels that the tool is installed from: on the file server (`puppet:///modules/profile/runit-provision`) or a path of the
#   host. `pip wheel --wheel-dir FOLDER SOURCE` makes it. Without it the tool has to be there.
#
# @param tool_directory
#   Directory that they are copied to, and installed in; `command` is made a link that leads there.
#
# @param tool_python
#   The Python, 3.11 or later, that runs it.
#
# @param tool_packages
#   The distribution's packages that this Python and its module venv come in.
#
# @param config_directory
#   The directory that the data's file `data.json` lies in. It is root's alone.
#
# @param apply_options
#   More options of `runit-provision apply`.
#
# @param hiera_merge
#   How the levels of the hash `runit` are merged; undef leaves it to the `lookup_options` of your hiera.
#
# @param manage_package
#   Whether `runtime: package` and `package_file` have the package installed.
#
# @param package_name
#   The distribution's package that `runtime: package` installs; families in whose repositories there is none have no default.
#
# @param package_service_directory
#   Directory that the distribution's runit scans; with `runtime: package` it is the `service_directory` where nothing else is given.
#
# @param package_ensure
#   The version of the package, or `present`, or `latest`.
#
# @param package_provider
#   What installs it; a `package_file` is installed by the provider for its suffix otherwise.
#
# @param manage_init
#   Whether init starts runsvdir at boot, and again when it dies. Only for the shipped runtime: packages have means of their own.
#
# @param init
#   Which init; it is detected otherwise, and a host without one that is known (a container, a chroot) is left without the link.
#
# @param runtime
#   Which runit supervises: the `shipped` runtime (default), the distribution's `package`, a `package_file`, or `none` of ours.
#
# @param prefix
#   Where the shipped runtime lies; its tools are in PREFIX/bin.
#
# @param package_file
#   File name of the distribution's runit, instead of the shipped runtime.
#
# @param filestore
#   Directory that `package_file` is found in.
#
# @param workspace
#   Directory that it is copied to and installed from.
#
# @param owner
#   The account that the host's tree belongs to.
#
# @param service_directory
#   Directory that the host's runsvdir scans.
#
# @param definitions
#   Directory of the service directories.
#
# @param levels
#   Run levels: for each the host's services that it has; a service that none names is in all of them.
#
# @param level
#   The current run level; default: `default`.
#
# @param levels_directory
#   Directory of the run levels, each a directory of links; `service_directory` leads to its `current`.
#
# @param template_path
#   Folders in which templates are found, the first that has one wins; relative to the folder of hiera.yaml, or of the data file; default: `templates`. One that is called as a shipped one (`run.sh.j2`) takes its place.
#
# @param file_path
#   Folders in which a `source` is found, as with `template_path`; default: `files`.
#
# @param log_directory
#   Directory of the log directories.
#
# @param home
#   Directory that holds the users' homes, each by the user's name; default: as the accounts say.
#
# @param basedir
#   Directory that holds a `basedir` for each user, by the user's name.
#
# @param logdir
#   Directory that holds a `logdir` for each user, by the user's name; it is made.
#
# @param profile
#   The file in which login shells find SVDIR for the users; `false` writes none.
#
# @param groups
#   Groups that are made where they are missing.
#
# @param purge
#   Services that are found in `service_directory`, and are not in the data, go.
#
# @param purge_logs
#   The logs of services that go, go with them; default: they stay.
#
# @param defaults
#   What all services have unless they, or their user's `defaults`, say otherwise; `KEY: null` in one takes a default away.
#
# @param services
#   The host's services.
#
# @param users
#   Users with services of their own: a list of names, or a hash.
#
#
class runit (
  Variant[String[1], Array[String[1], 1]]                      $command,
  Runit::Absolutepath                                          $tool_directory,
  String[1]                                                    $tool_python,
  Array[String[1]]                                             $tool_packages,
  Runit::Absolutepath                                          $config_directory,
  Array[String[1]]                                             $apply_options,
  Boolean                                                      $manage_package,
  String[1]                                                    $package_ensure,
  Boolean                                                      $manage_init,
  Optional[String[1]]                                          $tool_source               = undef,
  Optional[String[1]]                                          $package_name              = undef,
  Optional[Variant[String[1], Hash]]                           $hiera_merge               = 'deep',
  Optional[Runit::Absolutepath]                                $package_service_directory = undef,
  Optional[String[1]]                                          $package_provider          = undef,
  Optional[Runit::Init]                                        $init                      = undef,
  Optional[Enum['shipped', 'package', 'package_file', 'none']] $runtime                   = undef,
  Optional[Runit::Absolutepath]                                $prefix                    = undef,
  Optional[Runit::Line]                                        $package_file              = undef,
  Optional[Runit::Line]                                        $filestore                 = undef,
  Optional[Runit::Absolutepath]                                $workspace                 = undef,
  Optional[Runit::Line]                                        $owner                     = undef,
  Optional[Runit::Absolutepath]                                $service_directory         = undef,
  Optional[Runit::Absolutepath]                                $definitions               = undef,
  Optional[Runit::Levels]                                      $levels                    = undef,
  Optional[Runit::Name]                                        $level                     = undef,
  Optional[Runit::Absolutepath]                                $levels_directory          = undef,
  Optional[Array[Runit::Line]]                                 $template_path             = undef,
  Optional[Array[Runit::Line]]                                 $file_path                 = undef,
  Optional[Runit::Absolutepath]                                $log_directory             = undef,
  Optional[Runit::Absolutepath]                                $home                      = undef,
  Optional[Runit::Absolutepath]                                $basedir                   = undef,
  Optional[Runit::Absolutepath]                                $logdir                    = undef,
  Optional[Runit::Profile]                                     $profile                   = undef,
  Optional[Runit::Groups]                                      $groups                    = undef,
  Optional[Boolean]                                            $purge                     = undef,
  Optional[Boolean]                                            $purge_logs                = undef,
  Optional[Runit::Data::Service]                               $defaults                  = undef,
  Optional[Runit::Services]                                    $services                  = undef,
  Optional[Runit::Users]                                       $users                     = undef,
) {
  $parameters = runit::said(
    'command', 'tool_source', 'tool_directory', 'tool_python', 'tool_packages', 'config_directory', 'apply_options', 'hiera_merge',
    'manage_package', 'package_name', 'package_service_directory', 'package_ensure', 'package_provider', 'manage_init', 'init',
  )
  $hash = lookup('runit', Hash, $hiera_merge, {})
  $twice = $parameters.keys.filter |$key| { $key in $hash }
  unless $twice.empty {
    fail("runit: given below the hash `runit` in hiera and as parameters of the class: ${twice.join(', ')}; keep one of both")
  }
  $given = assert_type(Runit::Data, $hash + $parameters)
  $source = $given['runtime'] ? {
    undef   => $given['package_file'] ? { undef => 'shipped', default => 'package_file' },
    default => $given['runtime'],
  }
  $scanned = $source ? {
    'package' => { 'service_directory' => $package_service_directory }.filter |$_, $directory| { $directory =~ NotUndef },
    default   => {},
  }
  $data = $scanned + $given + { 'runtime' => $source }
  $data_file = "${config_directory}/data.json"

  contain runit::tool
  contain runit::install
  contain runit::config
  contain runit::apply

  Class['runit::tool', 'runit::install'] -> Class['runit::config'] -> Class['runit::apply']
}
