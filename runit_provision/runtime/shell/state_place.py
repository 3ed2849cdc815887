"""Where the private state of a tree is; told without `os`, for tools whose whole life is shorter than that import."""

from __future__ import annotations

import posix

_NAME_MAX = 200


def base() -> bytes:
    """Give STATE for this process's user (see state.py)."""
    environ = posix.environ
    if named := environ.get(b"RUNIT_PROVISION_STATE"):
        return named if named.startswith(b"/") else posix.getcwdb() + b"/" + named
    if posix.geteuid() == 0:
        return b"/run/runit-provision"
    home = environ.get(b"HOME")
    if not home:
        import pwd

        home = pwd.getpwuid(posix.geteuid()).pw_dir.encode()
    # Not $XDG_RUNTIME_DIR: that goes with the user's last logout, which services outlive, and cron and su do not know it.
    host = posix.uname().nodename.encode("utf-8", "surrogateescape")
    return b"%b/.local/state/runit-provision/host-%b" % (home, key(host))


def key(path: bytes) -> bytes:
    """Give the name that stands for an absolute `path`; short enough for a file's name, and different for different paths."""
    name = path.replace(b"%", b"%25").replace(b"+", b"%2B").strip(b"/").replace(b"/", b"+") or b"+"
    if len(name) <= _NAME_MAX:
        return name
    import binascii

    return b"%d+%08x+%08x+%b" % (len(name), binascii.crc32(name), binascii.crc32(name[::-1]), name[-100:])
