"""sv's hands: a service directory's files read, letters written, words printed; sv(8).

Everything is bytes, since names of services need be nothing else. What sv says goes to standard output, also its complaints; only
what concerns the file `down` and the script `check` goes to standard error.
"""

from __future__ import annotations

import posix

from ...core import sv
from ...wire import status as wire
from ..console import explain, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...wire.detail import Detail
    from ...wire.status import Status

ENOENT = 2
ENXIO = 6
ELOOP = 40
_CAREFUL = posix.O_NOFOLLOW | posix.O_NOCTTY | posix.O_NONBLOCK | posix.O_CLOEXEC
_READ = posix.O_RDONLY | _CAREFUL
WRITE = posix.O_WRONLY | _CAREFUL
"""supervise/ may be a user's, and sv root's: a link there could name any device, and to open one may already do something.

supervise/ itself may be one, as Debian's are: no device has a name that is opened in it but /dev/mapper/control, which does nothing.
"""

_OPEN_AT_ONCE = 100
"""Descriptors; a process may have 1,024 as a rule."""

GONE = 0
UNKNOWN = -1
"""What stands in for a status: no supervisor runs, or nobody can tell."""


class Client:
    """What one call of sv knows: where services are, what was said and not yet written, how many services failed.

    directory: where services without a slash are; asked_to_exit: a supervisor that has gone is then what was wanted.
    """

    __slots__ = ("_first_open", "_last_open", "asked_to_exit", "directory", "failures", "now_ns", "out")

    def __init__(self, directory: bytes, *, now_ns: int, asked_to_exit: bool) -> None:
        self.directory = directory
        self.asked_to_exit = asked_to_exit
        self.now_ns = now_ns
        self.failures = 0
        self.out: list[bytes] = []
        self._first_open = self._last_open = -1

    def flush(self) -> None:
        if self.out:
            text = b"".join(self.out)
            self.out.clear()
            write(1, text)

    def fail(self, kind: bytes, name: bytes, message: bytes, number: int | None = 0) -> None:
        """Count a failure and say `kind: name: message`, with the words for the errno `number` unless it is 0."""
        self.failures += 1
        self.out.append(b"%s%s: %s%s\n" % (kind, name, message, explain(number)))

    def complain(self, message: bytes, path: bytes, number: int | None) -> None:
        """Say on standard error what does not count as a failure."""
        self.flush()
        write(2, b"warning: %s %s%s\n" % (message, path, explain(number)))

    def path(self, name: bytes) -> bytes:
        """Give the directory of the service `name`, with a slash at its end; OSError when there is none to be had.

        A name that starts with a slash or a dot, or ends with a slash, is a path; any other stands in the services' directory.
        """
        if not name or not self.directory:
            raise FileNotFoundError(ENOENT, "")
        if name[0] in b"/." or name[-1:] == b"/":
            return name + b"/"
        return b"%s/%s/" % (self.directory, name)

    def enter(self, name: bytes) -> bytes | None:
        """Give the path of the service `name`, or None when it is no directory that can be entered."""
        try:
            path = self.path(name)
            posix.stat(path + b".")
        except OSError as error:
            self.fail(b"fail: ", name, b"unable to change to service directory", error.errno)
            return None
        return path

    def status(self, name: bytes, path: bytes) -> Status | int:
        """Read the status under `path`; GONE or UNKNOWN, after saying so, when there is none. name: for the words."""
        try:
            posix.close(posix.open(path + b"supervise/ok", WRITE))
        except OSError as error:
            if error.errno != ENXIO:
                self.fail(b"warning: ", name, b"unable to open supervise/ok", error.errno)
                return UNKNOWN
            self.not_running(name)
            return GONE
        operation = b"open"
        try:
            descriptor = posix.open(path + b"supervise/status", _READ)
            operation = b"read"
            data = posix.read(descriptor, wire.SIZE)
            posix.close(descriptor)
        except OSError as error:
            self.fail(b"warning: ", name, b"unable to %s supervise/status" % operation, error.errno)
            return UNKNOWN
        try:
            return wire.unpack(data)
        except ValueError:
            self.fail(b"warning: ", name, b"unable to read supervise/status: bad format")
            return UNKNOWN

    def not_running(self, name: bytes) -> None:
        if self.asked_to_exit:
            self.out.append(b"ok: %s: runsv not running\n" % name)
        else:
            self.fail(b"fail: ", name, b"runsv not running")

    def detail(self, path: bytes, status: Status) -> Detail | None:
        """Give what there is to tell of a service beyond its status, None for nothing."""
        if not posix.access(path + b"supervise/detail", posix.F_OK, follow_symlinks=False):
            return None
        from ...wire import detail

        try:
            return detail.unpack(_told(path + b"supervise/detail", detail.SIZE_MAX), status.pid)
        except OSError:
            return None

    def line(self, name: bytes, path: bytes, status: Status, *, shown: bytes = b"", detailed: bool = True) -> bytes:
        """Give the status line of a service whose `path` can be entered; nothing, after a complaint, if `down` cannot be looked for.

        shown: in the name's place; detailed: whether to look for what is beyond the status.
        """
        normally_up = True
        # Of many services hardly any has one, and without an exception it costs half as much to see that.
        if posix.access(path + b"down", posix.F_OK, follow_symlinks=False):
            try:
                posix.stat(path + b"down")
                normally_up = False
            except FileNotFoundError:
                pass
            except OSError as error:
                self.complain(b"unable to stat", name + b"/down", error.errno)
                return b""
        line = sv.line(shown or name, status, now_ns=self.now_ns, normally_up=normally_up)
        known = self.detail(path, status) if detailed else None
        return line if known is None else line + sv.detail(known, status, now_ns=self.now_ns)

    def _read(self, path: bytes) -> Status:
        """Give the status under `path`; OSError or ValueError when there is none, or nobody that keeps it up to date.

        What it opens is closed later, many at once: with a system call for each, `sv status` of many services takes a sixth longer.
        """
        self._last_open = posix.open(path + b"supervise/ok", WRITE)
        if self._first_open < 0:
            self._first_open = self._last_open
        self._last_open = descriptor = posix.open(path + b"supervise/status", _READ)
        return wire.unpack(posix.read(descriptor, wire.SIZE))

    def _close(self) -> None:
        if self._first_open >= 0:
            posix.closerange(self._first_open, self._last_open + 1)
            self._first_open = -1

    def report(self, name: bytes) -> int:
        """Print the service's line and that of its logger; give what an init script's `status` exits with: 0, 1, 3 or 4."""
        if self._last_open > _OPEN_AT_ONCE:
            self._close()
        # A status that can be read tells that its directory is there: only where it cannot, the directory is asked for.
        try:
            path = self.path(name)
            status: Status | int = self._read(path)
        except (OSError, ValueError):
            self._close()
            entered = self.enter(name)
            if entered is None:
                return 1
            path = entered
            status = self.status(name, path)
        if isinstance(status, int):
            return 1 if status == GONE else 4
        line = self.line(name, path, status)
        self.out.append(line)
        self._report_log(name, path + b"log/")
        if not line:
            return 4
        return 0 if status.pid else 3

    def _report_log(self, name: bytes, path: bytes) -> None:
        """Print the rest of the line: nothing where there is no log/, else the logger's status or what is wrong with it."""
        status: Status | int = UNKNOWN
        try:
            status = self._read(path)
            self.out.append(b"; ")
        except (OSError, ValueError):
            try:
                posix.stat(path + b".")
            except FileNotFoundError:
                self.out.append(b"\n")
            except OSError as error:
                self.out.append(b"; ")
                self.fail(b"warning: ", name + b"/log", b"unable to change directory", error.errno)
            else:
                self.out.append(b"; ")
                status = self.status(name + b"/log", path)
        if not isinstance(status, int):
            # All that there may be beyond the status of a log is why it is down: for others, nobody need look.
            down = status.state == wire.DOWN and status.want == wire.WANT_UP
            self.out.append(self.line(name, path, status, shown=b"log", detailed=down) + b"\n")

    def _rests(self, path: bytes, status: Status) -> bool:
        """Whether a service is backing off, which being told to start ends."""
        known = self.detail(path, status) if status.state == wire.DOWN else None
        return known is not None and known.starts_at != 0

    def control(self, name: bytes, path: bytes, letters: bytes) -> bool:
        """Write `letters` to the service's supervisor, unless it wants that already; False, after saying why, when it cannot be."""
        status = self.status(name, path)
        if isinstance(status, int):
            return False
        if sv.is_asked_already(letters[:1], status) and not self._rests(path, status):
            return True
        try:
            descriptor = posix.open(path + b"supervise/control", WRITE)
        except OSError as error:
            if error.errno == ENXIO:
                self.not_running(name)
            else:
                self.fail(b"warning: ", name, b"unable to open supervise/control", error.errno)
            return False
        try:
            # A supervise/ that belongs to a user may name any file here, and root may be the one who writes.
            if posix.fstat(descriptor).st_mode & 0o170000 != 0o010000:
                self.fail(b"warning: ", name, b"unable to write to supervise/control: not a fifo")
                return False
            posix.write(descriptor, letters)
        except OSError as error:
            self.fail(b"warning: ", name, b"unable to write to supervise/control", error.errno)
            return False
        finally:
            posix.close(descriptor)
        return True


def _told(path: bytes, size: int) -> bytes:
    """Give what a file holds, or, where there was no room for one, the link of that name (wire/detail.py). OSError."""
    try:
        descriptor = posix.open(path, _READ)
    except OSError as error:
        if error.errno != ELOOP:
            raise
        return posix.readlink(path)
    try:
        return posix.read(descriptor, size)
    finally:
        posix.close(descriptor)
