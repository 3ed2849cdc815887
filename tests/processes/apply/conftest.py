"""What the tests of apply share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support import oracle
from support.beneath import Running, beneath
from support.homes import Home

from runit_provision.apply import calls


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every account may enter; pytest's own is for its user alone."""
    oracle.root("other accounts' files")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def memory() -> Iterator[Path]:
    """Such a folder on a filesystem without a disk, where there is one: thousands of fsync wait for nothing there."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def home(public: Path) -> Home:
    return Home(public)


@pytest.fixture(params=["C runit", "the shipped runtime"])
def runsvdir(request: pytest.FixtureRequest, runtime: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(calls, "SETTLE", 0.0)
    return Path(oracle.program("runsvdir", package="runit")) if request.param == "C runit" else runtime / "runsvdir"


@pytest.fixture
def running(runsvdir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("RUNIT_PROVISION_STATE", f"{folder}/state")
        with beneath(runsvdir, Path(folder)) as place:
            yield place


@pytest.fixture
def several(runsvdir: Path) -> Iterator[list[Running]]:
    """Places for what mostly waits: side by side it takes a fraction of the time."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        yield [stack.enter_context(beneath(runsvdir, Path(folder, str(number)))) for number in range(4)]
