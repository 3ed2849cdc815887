"""The link to init as a test asks about it."""

from __future__ import annotations

import shlex

from runit_provision.verify.target import Target

_STAMP = "Laid by `runit-provision init link`"
_UNIT = "/etc/systemd/system"
_PLACES = {
    "systemd": (f"{_UNIT}/runit-provision.service", f"{_UNIT}/multi-user.target.wants/runit-provision.service"),
    "openrc": ("/etc/init.d/runit-provision", "/etc/runlevels/default/runit-provision"),
    "upstart": ("/etc/init/runit-provision.conf", "/etc/init/runit-provision.conf"),
    "inittab": ("/etc/runit-provision/runsvdir-start", "/etc/inittab"),
    "nested": ("/etc/runit-provision/runsvdir/run", "/etc/runit-provision/runsvdir/run"),
}
"""For each kind of init the file that says whose it is, and what lets init find it. `inittab` is sysvinit's and busybox', `nested` is
another runit's or s6's."""
_OURS = "/etc/runit-provision"
_CALLS = f"grep -hse 'runsvdir.* -P ' {_UNIT}/runit-provision.service {_OURS}/runsvdir-start {_OURS}/runsvdir/run"
"""The line of what was laid that calls runsvdir."""
_FIND = """stamp=$1
shift
while [ $# -gt 0 ]; do
  if grep -qF -e "$stamp" -- "$2" 2>/dev/null && [ -e "$3" ]; then
    [ "$1" != inittab ] || grep -q ':/etc/runit-provision/runsvdir-start$' "$3" || { shift 3; continue; }
    echo "$1"
    exit
  fi
  shift 3
done"""


class Link:
    """How runsvdir is started at boot. Every property looks anew."""

    def __init__(self, target: Target) -> None:
        self._target = target

    @property
    def kind(self) -> str:
        """`systemd`, `openrc`, `upstart`, `inittab` or `nested`, for the init that it was made for; empty without a link."""
        words = [word for kind, places in _PLACES.items() for word in (kind, *places)]
        return self._target.shell(_FIND, _STAMP, *words).stdout.strip()

    @property
    def is_linked(self) -> bool:
        """True when init starts runsvdir at the next boot."""
        return bool(self.kind)

    @property
    def is_running(self) -> bool:
        """True when a runsvdir runs, at this moment, on the directory that init was told."""
        called = self._target.shell(_CALLS).stdout.partition("\n")[0] if self.kind else ""
        _, option, rest = called.partition(" -P ")
        return bool(option) and self._target.is_scanned(shlex.split(rest)[0])

    def __repr__(self) -> str:
        kind = self.kind
        return f"<init link: {kind}{'' if self.is_running else ', and no runsvdir runs'}>" if kind else "<init link: there is none>"
