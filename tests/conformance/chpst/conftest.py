"""Both implementations of chpst, each also by the names of daemontools' programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support import oracle, state

NAMES = ("chpst", "setuidgid", "envuidgid", "envdir", "pgrphack", "setlock", "softlimit", "denvdir", "dsoftlimit", "anything")


@pytest.fixture(scope="session")
def called(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Path]]:
    """Give the paths of C's chpst and of ours under a name."""
    folder = tmp_path_factory.mktemp("names")
    folder.chmod(0o755)
    programs = {"C": Path(oracle.program("chpst", package="runit")), "ours": runtime / "chpst"}
    for implementation, program in programs.items():
        for name in NAMES:
            link = folder / implementation / name
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(program)
    return lambda name: [folder / implementation / name for implementation in programs]


@pytest.fixture(scope="session")
def jail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that the program that stays can run in as in a root."""
    folder = tmp_path_factory.mktemp("jail")
    folder.chmod(0o755)
    return state.jail(folder)
