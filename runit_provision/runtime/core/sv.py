"""What the words of sv(8) ask for, when a service has done so, and the line that tells its status.

    word --parse--> Command: letters for supervise/control, whether to wait, whether to kill on timeout

A wait is over when `reached` says so of the service's status. The same letters are what is sent and what is waited for; two
are only waited for: `C`, the state that was last asked for (sv check), and `s`, which asks for nothing (sv status).
"""

from __future__ import annotations

from ..wire import status as wire
from ..wire import tai

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..wire.detail import Detail
    from ..wire.status import Status

CONTROL = 0
STATUS = 1
CHECK = 2

NOT_YET = 0
REACHED = 1
REACHED_IF_CHECKED = 2
"""What `reached` answers; the last one leaves it to the service's ./check script."""

NANOSECONDS = tai.NANOSECONDS

TICK = 0.42
"""Seconds: C's sv looks this often, and limits mean the same here (see `last_look`)."""


class Command:
    """One command of sv(8).

    kind: CONTROL, STATUS or CHECK; letters: what is sent and waited for; waits: whether to wait for it; kills: send `k` on timeout.
    """

    __slots__ = ("kills", "kind", "letters", "waits")

    def __init__(self, kind: int, letters: bytes, *, waits: bool = False, kills: bool = False) -> None:
        self.kind = kind
        self.letters = letters
        self.waits = waits
        self.kills = kills


_WHOLE_WORDS = {
    b"check": Command(CHECK, b"C", waits=True),
    b"force-reload": Command(CONTROL, b"tc", waits=True, kills=True),
    b"force-restart": Command(CONTROL, b"tcu", waits=True, kills=True),
    b"force-shutdown": Command(CONTROL, b"x", waits=True, kills=True),
    b"force-stop": Command(CONTROL, b"d", waits=True, kills=True),
    b"reload": Command(CONTROL, b"h", waits=True),
    b"restart": Command(CONTROL, b"tcu", waits=True),
    b"shutdown": Command(CONTROL, b"x", waits=True),
    b"start": Command(CONTROL, b"u", waits=True),
    b"stop": Command(CONTROL, b"d", waits=True),
    b"try-restart": Command(CONTROL, b"tc", waits=True),
}
_FIRST_LETTERS = {
    b"D": Command(CONTROL, b"d", waits=True, kills=True),
    b"E": Command(CONTROL, b"x", waits=True, kills=True),
    b"T": Command(CONTROL, b"tc", waits=True, kills=True),
    b"X": Command(CONTROL, b"x", waits=True, kills=True),
}


def parse(word: bytes, *, init_script: bool, verbose: bool) -> Command | None:
    """Give the command that `word` names, None when it names none.

    Besides the words of init scripts only the first letter counts: `uptime` is `up`. init_script: sv was called by another name,
    where `status` must be written whole; verbose: option -v, wait for what is not waited for by itself.
    """
    if word in _WHOLE_WORDS:
        return _WHOLE_WORDS[word]
    first = word[:1]
    if first in _FIRST_LETTERS:
        return _FIRST_LETTERS[first]
    if first == b"s":
        return None if init_script and word != b"status" else Command(STATUS, b"s")
    if first and first in b"xe":
        return Command(CONTROL, b"x", waits=verbose)
    if first and first in b"udopchaiktq12":
        return Command(CONTROL, first, waits=verbose)
    return None


def is_asked_already(letter: bytes, status: Status) -> bool:
    """Say whether the service wants already what `letter` (`u` or `d`) asks for; `d` is sent again until TERM was (after `once`)."""
    if letter == b"u":
        return status.want == wire.WANT_UP
    return letter == b"d" and status.want == wire.WANT_DOWN and status.got_term


def reached(letters: bytes, status: Status, *, started_ns: int, now_ns: int) -> int:
    """Say whether a supervised service has done what `letters` ask for: NOT_YET, REACHED or REACHED_IF_CHECKED.

    started_ns, now_ns: when sv was called, and a time not before the status was read, Unix time in nanoseconds. A restart shows in a
    younger time of the status; one that is still to come is from before the clock was set back. `x` is never reached while there is
    a status to read: it ends with the supervisor.
    """
    answer = REACHED
    is_new = started_ns <= status.since_ns <= now_ns
    for letter in letters:
        answer = max(answer, part := _reached(chr(letter), status, is_new=is_new))
        if part == NOT_YET:
            return NOT_YET
    return answer


def _reached(letter: str, status: Status, *, is_new: bool) -> int:
    pid = status.pid
    down = status.want == wire.WANT_DOWN
    if letter == "C":
        letter = "u" if status.want == wire.WANT_UP else "d"
    match letter:
        case "x":
            return NOT_YET
        case "u":
            return REACHED_IF_CHECKED if pid and status.state == wire.RUN else NOT_YET
        case "d":
            return NOT_YET if pid or status.state != wire.DOWN else REACHED
        case "t" | "k":
            if not pid and down:
                return REACHED
            return REACHED_IF_CHECKED if is_new and pid and not status.got_term else NOT_YET
        case "o":
            if pid:
                return REACHED if down else NOT_YET
            return REACHED if is_new and status.state == wire.DOWN else NOT_YET
        case "p":
            return NOT_YET if pid and not status.paused else REACHED
        case "c":
            return NOT_YET if pid and status.paused else REACHED
        case _:  # what a signal does to a service is not for sv to know
            return REACHED


def next_look(waited: float) -> float:
    """Give the end of the tick, in seconds since sv was called, in which `waited` seconds fall."""
    return (int(waited / TICK) + 1) * TICK


def last_look(limit: int) -> float:
    """Give the seconds after which a wait of `limit` seconds has lasted too long.

    C's sv compares its limit with the time of the look before: 7 seconds are over at the 17th, 7.14, which the 18th sees, 7.56.
    """
    return (max(1, -(-limit * 100 // round(TICK * 100))) + 1) * TICK


_STATES = {wire.DOWN: b"down: ", wire.RUN: b"run: ", wire.FINISH: b"finish: "}


def line(name: bytes, status: Status, *, now_ns: int, normally_up: bool) -> bytes:
    """Give the status as sv prints it, without a newline: `run: name: (pid 7) 3s, normally down`."""
    how = bytes((status.want, status.state, status.paused, status.got_term))
    # C's pid is an int, which it prints as an unsigned long.
    pid = status.pid if status.pid < 1 << 31 else status.pid - (1 << 32) + (1 << 64)
    return told(name, how, status.since_ns, pid, now_ns, normally_up)


def told(name: bytes, how: bytes, since_ns: int, pid: int, now_ns: int, normally_up: bool) -> bytes:
    """Give what `line` gives of a status; `how` begins with its want, state, paused, got TERM."""
    words = form(how, no_process=pid == 0, normally_up=normally_up)
    seconds = max(0, now_ns // NANOSECONDS - since_ns // NANOSECONDS)
    return words % (name, seconds) if how[1] == wire.DOWN else words % (name, pid, seconds)


def form(how: bytes, *, no_process: bool, normally_up: bool) -> bytes:
    """Give the form of a line, into which name, pid (unless it is down) and seconds are put."""
    want, state, paused, got_term = how[:4]
    words = _STATES[state] + (b"%b: %ds" if state == wire.DOWN else b"%b: (pid %d) %ds")
    clauses = [(normally_up, b"normally up"), (want == wire.WANT_UP, b"want up")]
    if not no_process:
        clauses = [
            (not normally_up, b"normally down"),
            (bool(paused), b"paused"),
            (want == wire.WANT_DOWN, b"want down"),
            (bool(got_term), b"got TERM"),
        ]
    return words + b"".join([b", " + clause for is_so, clause in clauses if is_so])


def detail(known: Detail, status: Status, *, now_ns: int) -> bytes:
    """Give what follows the line of a service that has more to tell than runit's: readiness, a bounded stop, a rest; mostly nothing."""
    parts = []
    if known.notifies:
        parts.append(b", ready %ds" % _seconds(now_ns - known.ready) if known.ready else b", not ready")
    if known.kill_at:
        parts.append(b", KILL in %ds" % _seconds(known.kill_at - now_ns))
    if known.starts_at:
        # A clock that was set back since makes no rest longer: it began when the service went down.
        left = known.starts_at - max(now_ns, status.since_ns)
        parts.append(b", backing off, next start in %ds" % _seconds(left))
    if known.deaths:
        times = b"%d times in %ds" % (known.deaths, _seconds(status.since_ns - known.dying_since))
        parts.append(b", died %b, last %b" % (times, known.ended.encode()))
    if known.log_waits:
        parts.append(b", log waits %ds: %b" % (_seconds(now_ns - known.log_waits), _reason(known.log_reason)))
    return b"".join(parts)


def _reason(log_reason: int) -> bytes:
    from ..wire import errors, pool

    if log_reason == pool.SILENT:
        return b"its disk does not answer"
    if log_reason == pool.PROCESSOR:
        return b"its processor still runs"
    if log_reason == pool.PROCESSOR_FAILS:
        return b"its processor fails"
    if log_reason == pool.STOPPED:
        return b"its log-pool does not answer"
    return errors.text(log_reason)


def _seconds(nanoseconds: int) -> int:
    return max(0, nanoseconds // tai.NANOSECONDS)
