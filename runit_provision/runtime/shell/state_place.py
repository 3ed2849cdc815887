"""Where the private state of a tree is; told without `os`, for tools whose whole life is shorter than that import."""

from __future__ import annotations

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SHARED = (b"/dev/shm", b"/tmp")
"""Where everybody may make what nobody else may remove."""
_NAME_MAX = 200
_HOST_MAX = 64
"""HOST_NAME_MAX of Linux."""
_IFMT, _IFDIR = 0o170000, 0o040000
_STICKY, _OTHERS_WRITE = 0o1000, 0o022


def places() -> Iterator[bytes]:
    """Give where STATE may be for this process's user (see state.py), first what is to be tried first."""
    environ = posix.environ
    if named := environ.get(b"RUNIT_PROVISION_STATE"):
        yield named if named.startswith(b"/") else posix.getcwdb() + b"/" + named
        return
    host = key(posix.uname().nodename.encode("utf-8", "surrogateescape"))
    if posix.geteuid() == 0:
        yield b"/run/runit-provision"
    elif home := _home():
        # Not $XDG_RUNTIME_DIR: that goes with the user's last logout, which services outlive, and cron and su do not know it.
        yield b"%b/.local/state/runit-provision/host-%b" % (home, host)
    try:
        # Containers of one pod may share /dev/shm, user and host's name, but not what both a pid and a path mean.
        root, namespace = posix.stat(b"/"), posix.stat(b"/proc/self/ns/pid").st_ino
    except OSError:
        return
    name = b"runit-provision-%d-%x-%x-%x-%b" % (posix.geteuid(), namespace, root.st_dev, root.st_ino, host[:_HOST_MAX])
    for directory in SHARED:
        yield directory + b"/" + name


def complaint(place: bytes) -> str:
    """Say why what is at `place` is no STATE, which nobody else reads or replaces; nothing when it is one. OSError when nothing is."""
    above = place.rpartition(b"/")[0]
    if above in SHARED:
        found = posix.stat(above)
        if found.st_uid not in {0, posix.geteuid()} or (found.st_mode & _OTHERS_WRITE and not found.st_mode & _STICKY):
            return "others may rename what is there"
    found = posix.lstat(place)
    if found.st_uid != posix.geteuid() or found.st_mode & _IFMT != _IFDIR:
        return "not a directory of this user; remove it, or let RUNIT_PROVISION_STATE name another"
    if found.st_mode & 0o077:
        return f"open to others, mode {found.st_mode & 0o7777:04o}; chmod 700 {place.decode('utf-8', 'surrogateescape')}"
    return ""


def _home() -> bytes:
    """Give this process's user's home; nothing of one that is known by number only, as in many a container."""
    home = posix.environ.get(b"HOME", b"")
    if not home.startswith(b"/"):
        import pwd

        try:
            home = pwd.getpwuid(posix.geteuid()).pw_dir.encode("utf-8", "surrogateescape")
        except KeyError:
            return b""
    return home


def key(path: bytes) -> bytes:
    """Give the name that stands for an absolute `path`; short enough for a file's name, and different for different paths."""
    name = path.replace(b"%", b"%25").replace(b"+", b"%2B").strip(b"/").replace(b"/", b"+") or b"+"
    if len(name) <= _NAME_MAX:
        return name
    import binascii

    return b"%d+%08x+%08x+%b" % (len(name), binascii.crc32(name), binascii.crc32(name[::-1]), name[-100:])
