"""The pytest plugin: fixtures that ask a host, through testinfra, how its services fare.

The host needs a POSIX shell and none of our programs. Every run of pytest loads this module, so it imports nothing that pytest has not
imported already.
"""

from __future__ import annotations

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from runit_provision.verify.applied import Applied
    from runit_provision.verify.link import Link
    from runit_provision.verify.log import Log
    from runit_provision.verify.service import Services
    from runit_provision.verify.target import Host, Target
    from runit_provision.verify.tree import Tree
    from runit_provision.verify.user import User


def pytest_configure(config: pytest.Config) -> None:
    """Let testinfra know of `nsenter://PID`."""
    if "nsenter" in f"{config.getoption('hosts', None)} {config.getoption('connection', None)}":
        from testinfra import backend  # type: ignore[import-untyped]

        backend.BACKENDS["nsenter"] = "runit_provision.verify.nsenter.NsenterBackend"


@pytest.fixture(scope="module")
def _runit_target(host: Host) -> Target:
    from runit_provision.verify.target import Target

    return Target(host)


@pytest.fixture(scope="module")
def runit_service(_runit_target: Target) -> Services:
    """Give a service of testinfra's `host` by name or path, to be asked how it fares.

    `runit_service("apprun1/worker")` is the service `worker` in ~apprun1/service, `runit_service("sshd")` one of the host, and
    `runit_service("/srv/tree/web")` any service directory. What can be asked: `exists`, `is_supervised`, `is_running`, `is_healthy`,
    `is_enabled`, `is_logging`, `want`, `pid`, `uptime`, `log`, `comes_up(within=10)`, `goes_down(within=10)`.
    """
    from runit_provision.verify.service import Services

    return Services(_runit_target)


@pytest.fixture(scope="module")
def runit_log(runit_service: Services) -> Callable[[str], Log]:
    """Give the log of a service, named as for `runit_service`: `is_running`, `lines`, `has(pattern, within=0)`."""
    from runit_provision.verify.log import Log

    return lambda name: Log(runit_service(name))


@pytest.fixture(scope="module")
def runit_tree(_runit_target: Target, runit_service: Services) -> Callable[..., Tree]:
    """Give the tree of the host, or with a user's name that one's: `services`, `is_scanned`, `faults`, `comes_up(within=30)`."""
    from runit_provision.verify.tree import Tree

    return lambda user="": Tree(_runit_target, runit_service, user)


@pytest.fixture(scope="module")
def runit_user(_runit_target: Target, runit_service: Services) -> Callable[[str], User]:
    """Give a user of the host: `exists`, `home`, `tree`."""
    from runit_provision.verify.user import User

    return lambda name: User(_runit_target, runit_service, name)


@pytest.fixture(scope="module")
def runit_init(_runit_target: Target) -> Link:
    """Give the link to init: `is_linked`, `is_running`, `kind`."""
    from runit_provision.verify.link import Link

    return Link(_runit_target)


@pytest.fixture(scope="module")
def runit_manifest(_runit_target: Target) -> Applied:
    """Give what the last apply has made on the host: `exists`, `services`, `drift`, `faults(within=30)`; for root (`--sudo`)."""
    from runit_provision.verify.applied import Applied

    return Applied(_runit_target)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a failure say how the services fared that the test asked about."""
    report = yield
    services: Services | None = getattr(item, "funcargs", {}).get("runit_service")
    if services is not None and call.when == "call" and (seen := services.recall()) and report.failed:
        report.sections.append(("runit services as they were last seen", seen))
    return report
