"""`supervise/status` (20 bytes), `supervise/stat` and `supervise/pid`; runsv(8), and runsv.c's update_status.

0-11   TAI64N label of the last start of run, or of the last going down
12-15  pid, little endian; 0 when there is none
16     1 when paused
17     what is wanted: `u` or `d`
18     1 when TERM was sent and the process is still there
19     state: 0 down, 1 run, 2 finish
"""

from __future__ import annotations

from . import tai

SIZE = 20

DOWN = 0
RUN = 1
FINISH = 2

WANT_UP = 0
WANT_DOWN = 1
WANT_EXIT = 2
"""`exit` is on no byte: the status byte says `d`, only supervise/stat tells `want exit`."""
WANT_OTHER = 3
"""Neither `u` nor `d`, which nobody writes: to sv it is neither of them."""

_NAMES = {DOWN: "down", RUN: "run", FINISH: "finish"}
_WANT_BYTES = {ord("u"): WANT_UP, ord("d"): WANT_DOWN}
_WANTS = {WANT_UP: "", WANT_DOWN: ", want down", WANT_EXIT: ", want exit"}


class Status:
    """What `supervise/status` says of a service.

    since_ns: Unix time in nanoseconds; pid: 0 for none; state: DOWN, RUN or FINISH; want: WANT_UP, WANT_DOWN, WANT_EXIT or
    WANT_OTHER.
    """

    __slots__ = ("got_term", "paused", "pid", "since_ns", "state", "want")

    def __init__(self, *, since_ns: int, pid: int, state: int, want: int, paused: bool = False, got_term: bool = False) -> None:
        self.since_ns = since_ns
        self.pid = pid
        self.state = state
        self.want = want
        self.paused = paused
        self.got_term = got_term

    def _key(self) -> tuple[int, int, int, int, bool, bool]:
        return (self.since_ns, self.pid, self.state, self.want, self.paused, self.got_term)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Status) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"Status({values})"


def pack(status: Status) -> bytes:
    """Give the 20 bytes of `status`."""
    return (
        tai.pack(status.since_ns)
        + status.pid.to_bytes(4, "little")
        + bytes((status.paused, ord("u") if status.want == WANT_UP else ord("d"), status.got_term, status.state))
    )


def unpack(data: bytes) -> Status:
    """Read 20 bytes; ValueError when there are fewer or more, or when the state is none that runit knows.

    `want exit` comes back as WANT_DOWN, since the bytes do not tell them apart.
    """
    if len(data) != SIZE:
        raise ValueError(f"a status has {SIZE} bytes, not {len(data)}")
    if data[19] not in _NAMES:
        raise ValueError(f"unknown state {data[19]} in status")
    return Status(
        since_ns=tai.unpack(data[:12]),
        pid=int.from_bytes(data[12:16], "little"),
        paused=bool(data[16]),
        want=_WANT_BYTES.get(data[17], WANT_OTHER),
        got_term=bool(data[18]),
        state=data[19],
    )


def stat_text(status: Status) -> bytes:
    """Give `supervise/stat` as runsv writes it, for people and shell scripts: `run, paused, got TERM, want down`."""
    words = _NAMES[status.state]
    if status.paused:
        words += ", paused"
    if status.got_term:
        words += ", got TERM"
    if status.state != DOWN:
        words += _WANTS[status.want]
    return words.encode() + b"\n"


def pid_text(status: Status) -> bytes:
    """Give `supervise/pid`: the pid and a newline, or nothing when there is no process."""
    return b"%d\n" % status.pid if status.pid else b""
