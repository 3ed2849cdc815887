"""Signals that come while the demo is told."""

from __future__ import annotations

import signal
import sys
import weakref

import pytest

from runit_provision.app.demo.interruption import Interrupted, Interruptions


class Thing:
    """What somebody looks after."""


def test_a_signal_that_python_drops_is_told_at_the_next_look(capsys: pytest.CaptureFixture[str]) -> None:
    interruptions, before = Interruptions(), sys.unraisablehook
    with pytest.raises(Interrupted) as raised, interruptions.installed():
        thing = Thing()
        _ = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGHUP))
        del thing
        with pytest.raises(Interrupted):
            interruptions.check()
    assert (raised.value.number, sys.unraisablehook, capsys.readouterr().err) == (signal.SIGHUP, before, "")


def test_after_one_that_python_drops_the_next_signal_is_heard_at_once() -> None:
    with pytest.raises(Interrupted) as raised, Interruptions().installed():
        thing = Thing()
        _ = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGHUP))
        del thing
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("the signal was not heard")
    assert raised.value.number == signal.SIGHUP


def test_another_error_that_python_drops_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[type[BaseException] | None] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: shown.append(what.exc_type))
    with Interruptions().installed():
        thing = Thing()
        _ = weakref.ref(thing, lambda _: 1 / 0)
        del thing
    assert shown == [ZeroDivisionError]
