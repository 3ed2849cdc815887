"""What every test can ask for."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support import oracle

from runit_provision.host import interpreter, package

CHECKOUT = Path(__file__).parents[1]

pytest_plugins = ["support.compared", "support.sample"]
_OWN = pytest.StashKey[str]()

# A crowded machine takes its time, which says nothing of the code; on CI the draws are the same each time.
settings.register_profile("crowded", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("crowded")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let the tests work in a folder that no other pytest closes to other users and clears, as each does the one that all share."""
    if config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="pytest-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT"))
        config.stash[_OWN] = config.option.basetemp


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remove that folder, unless a test has failed."""
    if exitstatus == pytest.ExitCode.OK and (folder := session.config.stash.get(_OWN, "")):
        subprocess.run(["rm", "-rf", "--one-file-system", folder], check=True)


def pytest_sessionstart() -> None:
    """The tests prove the built wheel; a checkout on sys.path would hide what the wheel forgot."""
    assert not Path(package.__file__).is_relative_to(CHECKOUT / "runit_provision"), (
        "the tests import the checkout, not the installed wheel"
    )
    # A shell without job control lets what it starts in the background ignore the first two, nohup the third, and C's runsv hands
    # that on to services.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each process begin with its share of the longest tests, so that in the end none has a long one while all others are idle.

    Of the tests in their order xdist gives each process as many that follow each other; who has run out of them takes another's last.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    longest = [item for item in items if item.get_closest_marker("long")]
    others = iter([item for item in items if not item.get_closest_marker("long")])
    left, order = len(items), list[pytest.Item]()
    for process in range(processes):
        size = left // (processes - process)
        left -= size
        mine = longest[process::processes]
        order += [*mine, *islice(others, max(0, size - len(mine)))]
    items[:] = [*order, *others]


@pytest.fixture(scope="session", autouse=True)
def passage(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let other users through to what the tests make: pytest closes its folders to them."""
    base = tmp_path_factory.getbasetemp()
    for folder in (base, *base.parents):
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o755)


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runtime as a host has it: the folder of its tools, installed once under a temporary prefix."""
    prefix = tmp_path_factory.mktemp("runtime")
    prefix.chmod(0o755)  # tools run as other users too
    package.install(prefix=prefix, python=interpreter.default())
    return prefix / "bin"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 64 KiB."""
    oracle.root("mounts a small filesystem")
    path = tmp_path / "small"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=400", "tmpfs", str(path)], check=True)
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)
