"""Images, as `--root` gets them: the few files by which a host's init and python are told."""

from __future__ import annotations

from pathlib import Path

from .command import Result, runit_provision

INITTAB = """\
id:2:initdefault:
si::sysinit:/etc/init.d/rcS
~~:S:wait:/sbin/sulogin
l0:0:wait:/etc/init.d/rc 0
l2:2:wait:/etc/init.d/rc 2
l6:6:wait:/etc/init.d/rc 6
# 1:2345:respawn:/sbin/getty 38400 tty1
caf\udce9::off:"""
"""With a byte that is no UTF-8, and no newline at its end."""


class Peopled:
    """An image with an account `old`, of the number 1005, and the data that are to be applied there."""

    def __init__(self, root: Path, *folders: str) -> None:
        self.root = root
        self.data = root.with_name("data.yaml")
        for folder in ("etc/skel", "home", "srv", "var/lib", *folders):
            (root / folder).mkdir(parents=True)
        (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nold:x:1005:1005::/home/old:/bin/sh\n")
        (root / "etc/group").write_text("root:x:0:\nold:x:1005:\n")

    def road(self, *words: object) -> Result:
        return runit_provision(*words, "--root", self.root, "--data", self.data)


def systemd_image(root: Path) -> Path:
    """Make `root` look like a host of systemd, with the links that distributions have."""
    _with_python(root)
    for folder in ("etc/systemd/system", "usr/lib/systemd", "usr/sbin"):
        (root / folder).mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")
    (root / "sbin").symlink_to("usr/sbin")
    (root / "usr/lib/systemd/systemd").touch(mode=0o755)
    (root / "usr/sbin/init").symlink_to("/lib/systemd/systemd")
    return root


def sysvinit_image(root: Path, *, inittab: str = INITTAB) -> Path:
    """Make `root` look like a host of sysvinit."""
    _with_python(root)
    for folder in ("etc", "sbin"):
        (root / folder).mkdir()
    (root / "sbin/init").touch(mode=0o755)
    (root / "etc/inittab").write_bytes(inittab.encode(errors="surrogateescape"))
    return root


def openrc_image(root: Path) -> Path:
    """Make `root` look like a host of OpenRC whose own init is pid 1."""
    _with_python(root)
    for folder in ("etc/init.d", "etc/runlevels/default", "sbin"):
        (root / folder).mkdir(parents=True)
    (root / "sbin/openrc-init").touch(mode=0o755)
    (root / "sbin/init").symlink_to("openrc-init")
    return root


def busybox_image(root: Path) -> Path:
    """Make `root` look like a host of busybox."""
    _with_python(root)
    for folder in ("etc", "sbin", "bin"):
        (root / folder).mkdir()
    (root / "bin/busybox").touch(mode=0o755)
    (root / "sbin/init").symlink_to("/bin/busybox")
    (root / "etc/inittab").write_text("::sysinit:/etc/rc\n::shutdown:/bin/umount -a -r\n")
    return root


def runit_image(root: Path) -> Path:
    """Make `root` look like a host of runit, with the places of Void Linux."""
    _with_python(root)
    for folder in ("etc/runit/runsvdir/default", "var", "sbin"):
        (root / folder).mkdir(parents=True)
    (root / "var/service").symlink_to("/etc/runit/runsvdir/default")
    (root / "sbin/runit-init").touch(mode=0o755)
    (root / "sbin/init").symlink_to("runit-init")
    return root


def s6_image(root: Path) -> Path:
    """Make `root` look like a host of s6-linux-init."""
    _with_python(root)
    for folder in ("etc/s6-linux-init/current/run-image/service", "run/service", "sbin"):
        (root / folder).mkdir(parents=True)
    (root / "sbin/init").write_text("#!/bin/execlineb -S0\ns6-linux-init -c /etc/s6-linux-init/current -- $@\n")
    return root


def upstart_image(root: Path) -> Path:
    """Make `root` look like a host of upstart."""
    _with_python(root)
    for folder in ("etc/init", "sbin"):
        (root / folder).mkdir(parents=True)
    (root / "sbin/init").touch(mode=0o755)
    (root / "etc/init/rc.conf").write_text("exec /etc/init.d/rc\n")
    return root


def _with_python(root: Path) -> None:
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/python3.11").touch(mode=0o755)
    (root / "usr/bin/python3").symlink_to("python3.11")


def snapshot(root: Path) -> dict[str, str | bytes | None]:
    """Give every path below `root` with its contents: bytes of a file, target of a link, None for a folder."""
    found: dict[str, str | bytes | None] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        found[name] = str(path.readlink()) if path.is_symlink() else None if path.is_dir() else path.read_bytes()
    return found
