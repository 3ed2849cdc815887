"""How far it is, on a terminal; and nothing anywhere else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from runit_provision.cli import progress


def everything(master: int) -> Iterator[bytes]:
    """Give what came to the terminal, which nobody has open any more."""
    with os.fdopen(master, "rb", buffering=0) as terminal, suppress(OSError):
        while True:
            yield terminal.read(1 << 16)


def test_on_a_terminal_what_takes_long_shows_how_far_it_is_and_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PATIENCE", 0.0)
    monkeypatch.setattr(progress, "_PACE", 0.0)
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as terminal, monkeypatch.context() as patches:
        patches.setattr(sys, "stderr", terminal)
        with progress.progress() as show:
            assert show is not None
            show(3, 10, "/etc/sv/[a]/run")
            show(3, 12, "waits for a, 9 s at most")
    shown = b"".join(everything(master)).decode()
    places = [shown.index(text) for text in (" 3/10", "/etc/sv/[a]/run", " 3/12", "waits for a, 9 s at most")]
    assert places == sorted(places)


def test_where_nobody_looks_nothing_is_shown() -> None:
    with progress.progress() as show:
        assert show is None
