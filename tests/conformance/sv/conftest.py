"""Both implementations of sv, and worlds for them to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from support import oracle
from support.supervised import Supervised

IMPLEMENTATIONS = ("C", "ours")


@pytest.fixture(scope="session")
def tools(runtime: Path) -> Callable[[str, str], Path]:
    """Give the path of a tool by implementation and name."""

    def tool(implementation: str, name: str) -> Path:
        if implementation == "C":
            return Path(oracle.program(name, package="runit"))
        return runtime / name

    return tool


@pytest.fixture(params=IMPLEMENTATIONS if find_spec("runit_provision.runtime.cli.runsv") else IMPLEMENTATIONS[:1])
def runsv(request: pytest.FixtureRequest, tools: Callable[[str, str], Path]) -> Path:
    """Each implementation of the supervisor."""
    return tools(request.param, "runsv")


@pytest.fixture(params=IMPLEMENTATIONS)
def sv(request: pytest.FixtureRequest, tools: Callable[[str, str], Path]) -> Path:
    """Each implementation of sv."""
    return tools(request.param, "sv")


@pytest.fixture
def both(tools: Callable[[str, str], Path]) -> tuple[Path, Path]:
    """C's sv and ours."""
    return tools("C", "sv"), tools("ours", "sv")


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[Callable[[str, Path], Supervised]]:
    """Give a world of real supervisors by name and implementation; all end with the test."""
    made: list[Supervised] = []

    def world(name: str, runsv: Path) -> Supervised:
        made.append(Supervised(tmp_path / name, runsv))
        return made[-1]

    yield world
    for each in made:
        each.stop()
