"""Counts what a run compared with C's runit, and says so at its end.

A scenario is what both implementations play from its beginning: a test of tests/conformance is one, a drawn one as many as were drawn.
A step is a drawn thing that happens in a scenario: a letter, a command, an option, a piece of input, a signal.
"""

from __future__ import annotations

import threading

import pytest

_lock = threading.Lock()
_drawn = [0, 0]
_sums = {"scenarios": 0, "drawn": 0, "steps": 0}


def drew(steps: int) -> None:
    """Count a drawn scenario that was the same in all worlds."""
    with _lock:
        _drawn[0] += 1
        _drawn[1] += steps


def pytest_runtest_setup() -> None:
    """Forget what an earlier try has drawn."""
    _drawn[:] = [0, 0]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Let the report, which may go to another process, tell what was drawn."""
    if call.when == "call":
        item.user_properties.append(("drawn", tuple(_drawn)))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up what was the same."""
    _, _, name = report.nodeid.partition("conformance/")
    if report.when == "call" and report.passed and name and not name.startswith(("hiera/", "test_coverage")):
        drawn = dict(report.user_properties)["drawn"]
        assert isinstance(drawn, (list, tuple))
        scenarios, steps = map(int, drawn)
        _sums["scenarios"] += scenarios or 1
        _sums["drawn"] += scenarios
        _sums["steps"] += steps


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much it was."""
    if _sums["scenarios"]:
        text = "compared with runit: {scenarios:,} scenarios, {drawn:,} of them drawn, with {steps:,} random steps"
        terminalreporter.write_line(text.format(**_sums))
