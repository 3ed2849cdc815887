"""The table of a tree that the caller supervises, read at once for `sv status` of many services: a sixth of the system calls.

It is believed while somebody vouches for it, as `supervise/ok` vouches for a status; of whatever it cannot tell, each service is asked.
"""

from __future__ import annotations

import posix

from ...core import sv
from ...wire import records
from .. import state_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Rows = dict[tuple[int, int], records.Row]

_READ = posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC
_TRIES = 3
_SLOTS = 64
"""Read at once."""
_TICK_NS = 100_000_000
"""Longer than the time between two ticks of any kernel's clock, in nanoseconds."""


def go_there(names: list[bytes], here: bytes) -> tuple[list[bytes], bytes]:
    """Go where paths of services are short, as such are fast; give them, and where those are now that are named without a slash.

    here: where those are.
    """
    place = names[0].rpartition(b"/")[0] + b"/"
    rest = [name[len(place) :] for name in names if name.startswith(place)]
    try:
        # As a shell's * gives them: all in one directory.
        if place.startswith(b"/") and len(rest) == len(names) and all(rest) and b"/" not in b"".join(rest):
            posix.chdir(place)
            return rest, here
        if not any(name[:1] == b"." or (name[:1] != b"/" and name[-1:] == b"/") for name in names):
            posix.chdir(here)
            return names, b"."
    except OSError:
        pass
    return [name if name[:1] in b"/." or name[-1:] == b"/" else b"%b/%b" % (here, name) for name in names], here


def report(
    names: list[bytes], paths: list[bytes], here: bytes, ask: Callable[[bytes], object], *, now_ns: int, out: list[bytes]
) -> None:
    """Put the line of each service and of its log into `out`; `ask` those that have to tell themselves.

    paths, here: what `go_there` gave, and was given; now_ns: Unix time in nanoseconds.
    """
    stat, access, f_ok = posix.stat, posix.access, posix.F_OK
    forms: dict[tuple[bytes, bytes, bool, bool], bytes] = {}
    rows: Rows = {}
    known: set[bytes] = set()
    second = sv.NANOSECONDS
    now = now_ns // second
    # For many services this is most of what sv does: nothing is made or called that need not be.
    for name, path in zip(names, paths, strict=True):
        try:
            found = stat(path + b"/.")
            row = rows.get(found[1:3])
            if row is None:
                directory = name.rpartition(b"/")[0] or here
                if directory not in known:
                    known.add(directory)
                    rows |= _load(directory, now_ns)
                    row = rows.get(found[1:3])
                if row is None:
                    ask(name)
                    continue
            _, _, _, changed, is_plain, has_log, how, since, pid, log_how, log_since, log_pid, _ = row
            is_same = found.st_ctime_ns == changed
            down = log_down = False
            # Where it is not known, hardly any service has a file `down`: to see that without an exception takes half as long.
            if not is_same:
                down = _is_down(path, has_log=has_log)
            if has_log:
                if not (is_same and is_plain):
                    stat(path + b"/log/.")
                if log_down := access(path + b"/log/down", f_ok, follow_symlinks=False):
                    stat(path + b"/log/down")
        except OSError:
            ask(name)
            continue
        # A clock may have been set back.
        seconds = age if (age := now - since // second) > 0 else 0
        if pid and log_pid and has_log:
            shape = (how, log_how, down, log_down)
            form = forms.get(shape)
            if form is None:
                log = sv.form(log_how, no_process=False, normally_up=not log_down).replace(b"%b", b"log")
                form = forms[shape] = sv.form(how, no_process=False, normally_up=not down) + b"; " + log + b"\n"
            out.append(form % (name, pid, seconds, log_pid, age if (age := now - log_since // second) > 0 else 0))
            continue
        line = sv.told(name, how, since, pid, now_ns, not down)
        if has_log:
            line += b"; " + sv.told(b"log", log_how, log_since, log_pid, now_ns, not log_down)
        out.append(line + b"\n")


def _is_down(path: bytes, *, has_log: bool) -> bool:
    """Whether a service whose directory has changed has a file `down`.

    OSError: a `down` that leads nowhere, or a log/ that its supervisor knows nothing of.
    """
    if not has_log and posix.access(path + b"/log", posix.F_OK, follow_symlinks=False):
        raise FileExistsError
    if not posix.access(path + b"/down", posix.F_OK, follow_symlinks=False):
        return False
    posix.stat(path + b"/down")
    return True


def _load(directory: bytes, now_ns: int) -> Rows:
    """Read the table of the tree over `directory`; nothing where there is none, or none to be believed."""
    if not directory.startswith(b"/"):
        return {}
    for state in state_place.places():
        if rows := _load_from(state, directory, now_ns):
            return rows
    return {}


def _load_from(state: bytes, directory: bytes, now_ns: int) -> Rows:
    """Read it where its private state is in `state`."""
    place = b"%b/trees/%b/" % (state, state_place.key(directory))
    try:
        if state_place.complaint(state):
            return {}
        posix.close(posix.open(place + b"ok", posix.O_WRONLY | posix.O_NONBLOCK | posix.O_NOFOLLOW | posix.O_CLOEXEC))
        table = posix.open(place + b"records", _READ)
        before = posix.fstat(table)
        if before.st_uid != posix.geteuid() or posix.pread(table, len(records.MAGIC), 0) != records.MAGIC:
            return {}
        for _ in range(_TRIES):
            rows = _rows(table)
            after = posix.fstat(table)
            # An old time that stays tells that nothing was written meanwhile; one of this very tick would stay in any case.
            if before.st_mtime_ns == after.st_mtime_ns < now_ns - _TICK_NS or rows == _rows(table):
                return rows
            before = after
    except OSError:
        pass
    return {}


def _rows(table: int) -> Rows:
    """Read a whole table, piece by piece: much memory at once is slow to get."""
    rows: Rows = {}
    offset = records.SIZE
    while piece := posix.pread(table, _SLOTS * records.SIZE, offset):
        records.add_statuses(rows, piece)
        offset += len(piece)
    return rows
