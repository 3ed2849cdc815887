"""sv's words, the ends of its waits, its lines; as sv(8) has them."""

from __future__ import annotations

import pytest

from runit_provision.runtime.core import sv
from runit_provision.runtime.wire import status as wire

SECOND = 10**9


def status(**changes: int) -> wire.Status:
    """A service that runs since second 100, with `changes`."""
    values = {"since_ns": 100 * SECOND, "pid": 7, "state": wire.RUN, "want": wire.WANT_UP} | changes
    return wire.Status(**values)  # type: ignore[arg-type]


DOWN = status(pid=0, state=wire.DOWN, want=wire.WANT_DOWN)


@pytest.mark.parametrize(
    ("word", "letters", "waits", "kills"),
    [
        (b"up", b"u", False, False),
        (b"uptime", b"u", False, False),
        (b"exit", b"x", False, False),
        (b"start", b"u", True, False),
        (b"restart", b"tcu", True, False),
        (b"try-restart", b"tc", True, False),
        (b"term", b"t", False, False),
        (b"force-stop", b"d", True, True),
        (b"force-reload", b"tc", True, True),
        (b"D", b"d", True, True),
        (b"check", b"C", True, False),
        (b"cont", b"c", False, False),
    ],
)
def test_a_word_stands_for_letters(word: bytes, letters: bytes, waits: bool, kills: bool) -> None:
    command = sv.parse(word, init_script=False, verbose=False)
    assert command is not None
    assert (command.letters, command.waits, command.kills) == (letters, waits, kills)


@pytest.mark.parametrize("word", [b"", b"foo", b"reboot", b"force", b"Up", b"0"])
def test_any_other_word_is_none(word: bytes) -> None:
    assert sv.parse(word, init_script=False, verbose=False) is None


def test_an_init_script_wants_status_written_whole() -> None:
    assert sv.parse(b"stat", init_script=False, verbose=False) is not None
    assert sv.parse(b"stat", init_script=True, verbose=False) is None
    assert sv.parse(b"status", init_script=True, verbose=False) is not None


@pytest.mark.parametrize(
    ("letters", "seen", "answer"),
    [
        (b"u", status(), sv.REACHED_IF_CHECKED),
        (b"u", status(state=wire.FINISH), sv.NOT_YET),
        (b"u", DOWN, sv.NOT_YET),
        (b"d", DOWN, sv.REACHED),
        (b"d", status(pid=0, state=wire.RUN), sv.NOT_YET),
        (b"x", status(), sv.NOT_YET),
        (b"x", DOWN, sv.NOT_YET),
        (b"t", status(), sv.NOT_YET),
        (b"t", DOWN, sv.REACHED),
        (b"t", status(since_ns=200 * SECOND + 1), sv.REACHED_IF_CHECKED),
        (b"t", status(since_ns=200 * SECOND - 1), sv.NOT_YET),
        (b"t", status(since_ns=201 * SECOND, got_term=True), sv.NOT_YET),
        (b"t", status(since_ns=203 * SECOND), sv.NOT_YET),
        (b"o", status(pid=0, state=wire.DOWN, since_ns=203 * SECOND), sv.NOT_YET),
        (b"tc", status(since_ns=201 * SECOND, paused=True), sv.NOT_YET),
        (b"tcu", status(since_ns=201 * SECOND), sv.REACHED_IF_CHECKED),
        (b"o", status(), sv.NOT_YET),
        (b"o", status(want=wire.WANT_DOWN), sv.REACHED),
        (b"o", DOWN, sv.NOT_YET),
        (b"o", status(pid=0, state=wire.DOWN, since_ns=201 * SECOND), sv.REACHED),
        (b"p", status(), sv.NOT_YET),
        (b"p", status(paused=True), sv.REACHED),
        (b"p", DOWN, sv.REACHED),
        (b"c", status(paused=True), sv.NOT_YET),
        (b"h", status(), sv.REACHED),
        (b"C", status(), sv.REACHED_IF_CHECKED),
        (b"C", DOWN, sv.REACHED),
        (b"C", status(want=wire.WANT_DOWN), sv.NOT_YET),
        (b"C", status(pid=0, state=wire.DOWN), sv.NOT_YET),
    ],
)
def test_a_wait_is_over_when_the_status_shows_it(letters: bytes, seen: wire.Status, answer: int) -> None:
    assert sv.reached(letters, seen, started_ns=200 * SECOND, now_ns=202 * SECOND) == answer


def test_what_is_wanted_already_is_not_sent_again() -> None:
    assert sv.is_asked_already(b"u", status())
    assert not sv.is_asked_already(b"d", status())
    assert sv.is_asked_already(b"d", status(want=wire.WANT_DOWN, got_term=True))
    assert not sv.is_asked_already(b"d", status(want=wire.WANT_DOWN)), "once without TERM"
    assert not sv.is_asked_already(b"t", status())


@pytest.mark.parametrize(
    ("seen", "normally_up", "line"),
    [
        (status(), True, b"run: a: (pid 7) 5s"),
        (status(), False, b"run: a: (pid 7) 5s, normally down"),
        (DOWN, True, b"down: a: 5s, normally up"),
        (status(pid=0, state=wire.DOWN), False, b"down: a: 5s, want up"),
        (status(paused=True, want=wire.WANT_DOWN, got_term=True), True, b"run: a: (pid 7) 5s, paused, want down, got TERM"),
        (status(state=wire.FINISH), True, b"finish: a: (pid 7) 5s"),
        (status(since_ns=200 * SECOND), True, b"run: a: (pid 7) 0s"),
    ],
)
def test_a_line_says_the_status(seen: wire.Status, normally_up: bool, line: bytes) -> None:
    assert sv.line(b"a", seen, now_ns=105 * SECOND, normally_up=normally_up) == line


@pytest.mark.parametrize(("waited", "end"), [(0, 0.42), (7, 7.14), (0.42, 0.84)])
def test_a_limit_ends_with_its_tick(waited: float, end: float) -> None:
    assert sv.next_look(waited) == pytest.approx(end)
