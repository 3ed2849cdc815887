"""The pytest plugin: fixtures that ask a host, through testinfra, how its services fare.

Every run of pytest loads this module, so it imports nothing that pytest has not imported already.
"""

from __future__ import annotations

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from runit_provision.verify.service import Services
    from runit_provision.verify.target import Host


@pytest.fixture(scope="module")
def runit_service(host: Host) -> Services:
    """Give a service of testinfra's `host` by name or path, to be asked how it fares.

    `runit_service("apprun1/worker")` is the service `worker` in ~apprun1/service, `runit_service("sshd")` one of the host, and
    `runit_service("/srv/tree/web")` any service directory. What can be asked: `exists`, `is_supervised`, `is_running`,
    `is_enabled`, `is_logging`, `want`, `pid`, `uptime`, `log`, `comes_up(within=10)`, `goes_down(within=10)`. The host needs a
    POSIX shell and none of our programs.
    """
    from runit_provision.verify.service import Services
    from runit_provision.verify.target import Target

    return Services(Target(host))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a failure say how the services fared that the test asked about."""
    report = yield
    services: Services | None = getattr(item, "funcargs", {}).get("runit_service")
    if services is not None and call.when == "call" and (seen := services.recall()) and report.failed:
        report.sections.append(("runit services as they were last seen", seen))
    return report
