"""Who ends a change of the host is told what becomes of it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

SCRIPT = """
import signal
from runit_provision.cli.output import Format, Output
from runit_provision.cli.planning import resumable

if {ignored}:
    signal.signal({number}, signal.SIG_IGN)
with resumable(Output(form=Format.TEXT, color=False)):
    signal.raise_signal({number})
print("went on")
"""
SAID = "what was begun, the next `apply` completes, and `rollback` takes back\n"


def sent(number: signal.Signals, *, ignored: bool = False) -> tuple[int, str, str]:
    """Exit status, and what is said, of a change that is sent a signal."""
    script = SCRIPT.format(number=int(number), ignored=ignored)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_as_ever_and_what_is_to_be_done_then_is_said(number: signal.Signals) -> None:
    assert sent(number) == (-number, "", f"ended by a signal; {SAID}")


def test_so_it_is_at_an_interrupt() -> None:
    status, said, told = sent(signal.SIGINT)
    assert (status, said, told.startswith(f"interrupted; {SAID}")) == (-signal.SIGINT, "", True)


def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    assert sent(signal.SIGHUP, ignored=True) == (0, "went on\n", "")
