"""How a service's `log/` configures the shipped logger, rsvlog: its environment and the files of `log/env/`.

Both the program and the pool read it here, so that they never differ.
"""

from __future__ import annotations

import posix

from ...core import svlogd_options
from ...wire import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT_LOGS = b"/var/log/runit"
OPTIONS = b"-tt"
SIZE = 65536
"""Bytes of an env file that are looked at."""


_known: dict[bytes, svlogd_options.Options] = {}
"""What options mean: of thousands of logs most have the same."""
_KNOWN_MAX = 8


class Settings:
    """directory: absolute; user: an account to drop to, or nothing; options: svlogd's."""

    __slots__ = ("directory", "options", "user")

    def __init__(self, directory: bytes, user: bytes, options: svlogd_options.Options) -> None:
        self.directory = directory
        self.user = user
        self.options = options


def read(log: int, environment: Mapping[bytes, bytes]) -> Settings:
    """Give the settings of the directory `log` (a descriptor) of a service.

    Raises ValueError when a value makes no sense, svlogd_options.UsageError for options that svlogd would not take, OSError.
    """
    here = _path(log)
    values = {name: environment.get(name, b"") for name in (b"RSVLOG_DIR", b"RSVLOG_USER", b"RSVLOG_OPTIONS")}
    for name in values:
        value = _env_file(log, name)
        if value is not None:
            values[name] = value
    options = _options(values[b"RSVLOG_OPTIONS"] or OPTIONS)
    directory = values[b"RSVLOG_DIR"] or _default(here.rpartition(b"/")[0].rpartition(b"/")[2], environment)
    return Settings(directory if directory.startswith(b"/") else here + b"/" + directory, values[b"RSVLOG_USER"], options)


def _options(text: bytes) -> svlogd_options.Options:
    options = _known.get(text)
    if options is None:
        options, rest = svlogd_options.parse([b"rsvlog", *text.split()])
        if rest:
            raise ValueError("RSVLOG_OPTIONS: not an option: " + ascii(rest[0].decode("utf-8", "surrogateescape")))
        if len(_known) == _KNOWN_MAX:
            _known.clear()
        _known[text] = options
    return options


def explain(error: Exception) -> bytes:
    """Say what `read` or the making of a directory failed with."""
    if isinstance(error, OSError):
        name = error.filename.encode("utf-8", "surrogateescape") if isinstance(error.filename, str) else error.filename
        return (name + b": " if isinstance(name, bytes) else b"") + errors.text(error.errno or 0)
    if isinstance(error, svlogd_options.UsageError):
        return b"RSVLOG_OPTIONS: " + (error.text.strip() or b"svlogd would not take them")
    return str(error).encode("utf-8", "surrogateescape")


def _path(log: int) -> bytes:
    try:
        return posix.readlink(b"/proc/self/fd/%d" % log)
    except FileNotFoundError:
        here, there = posix.stat(b"."), posix.fstat(log)
        if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino):
            raise
        return posix.getcwdb()  # there is no /proc


def _default(name: bytes, environment: Mapping[bytes, bytes]) -> bytes:
    if posix.geteuid() == 0:
        return ROOT_LOGS + b"/" + name
    import pwd

    try:
        home = pwd.getpwuid(posix.geteuid()).pw_dir.encode("utf-8", "surrogateescape")
    except KeyError:
        home = environment.get(b"HOME", b"")
        if not home.startswith(b"/"):
            raise ValueError("RSVLOG_DIR: missing, and this user has no home") from None
    return home + b"/logs/" + name


def _env_file(log: int, name: bytes) -> bytes | None:
    """Give the first line of log/env/`name` as chpst -e takes it; None when there is none."""
    try:
        descriptor = posix.open(b"env/" + name, posix.O_RDONLY | posix.O_NONBLOCK | posix.O_CLOEXEC, dir_fd=log)
    except FileNotFoundError:
        return None
    try:
        data = posix.read(descriptor, SIZE)
    finally:
        posix.close(descriptor)
    return data.split(b"\n", 1)[0].rstrip(b" \t").replace(b"\0", b"\n")
