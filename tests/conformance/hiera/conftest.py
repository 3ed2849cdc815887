"""What the comparisons share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conformance.hiera.puppet import Puppet, puppet_8, puppet_here


@pytest.fixture(scope="session")
def puppet() -> Iterator[Puppet]:
    """One process of Puppet for all cases."""
    process = Puppet(puppet_here())
    yield process
    process.close()


@pytest.fixture(scope="session")
def newest_puppet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Puppet]:
    """One process of Puppet 8."""
    process = Puppet(puppet_8(tmp_path_factory.getbasetemp()))
    yield process
    process.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was compared."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    compared = [value for report in reports for name, value in report.user_properties if name == "compared"]
    if compared:
        cases, answers, meant, differing = map(sum, zip(*compared, strict=True))
        said = f"{meant} differ as meant, {differing} otherwise"
        terminalreporter.write_line(f"lookup: {cases} cases with {answers} answers compared with Puppet's, {said}")
