# @summary An init that `runit-provision init link` knows.
type Runit::Init = Enum['systemd', 'systemd-user', 'sysvinit', 'openrc', 'busybox', 'runit', 's6', 'upstart']
