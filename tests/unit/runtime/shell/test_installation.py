"""Becoming another version."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from runit_provision.runtime.shell import installation


def test_what_another_version_was_to_have_is_nobody_elses_where_it_cannot_be_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A keeper goes on as it is then, and starts services, of whatever account."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python3")
    ends = os.pipe()
    with pytest.raises(FileNotFoundError):
        installation.become(installation.LIBRARY, "keeper", *ends)
    assert not any(map(os.get_inheritable, ends))
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
    for end in ends:
        os.close(end)
