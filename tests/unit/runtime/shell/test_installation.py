"""Another version: whose hands may have been on it, and what becomes of it where it cannot be executed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import oracle

from runit_provision.runtime.shell import installation

NOBODY = 65534


@pytest.fixture
def library(tmp_path: Path) -> Path:
    oracle.root("gives folders to others")
    library = tmp_path / "prefix/lib/runit-provision/1.0"
    (library / "runit_provision").mkdir(parents=True)
    (library / "runit_provision/module.py").touch()
    for path in [tmp_path, *tmp_path.rglob("*")]:
        path.chmod(0o755)
    return library


def give(path: Path) -> None:
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def open_up(path: Path) -> None:
    path.chmod(0o777)


def replace(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


def test_what_root_alone_may_change_is_not_doubted(library: Path) -> None:
    assert installation.doubt(str(library)) == ""
    library.parents[2].chmod(0o1777)  # as /tmp: nobody removes what is another's there
    assert installation.doubt(str(library)) == ""


@pytest.mark.parametrize("where", ["..", "../../..", ".", "runit_provision", "runit_provision/module.py"])
@pytest.mark.parametrize(
    ("do", "said"),
    [(give, f"belongs to user {NOBODY}"), (open_up, "can be written by others, mode 0777"), (replace, "is a link")],
)
def test_what_another_may_change_anywhere_on_the_way_or_in_it_is_said(
    library: Path, where: str, do: Callable[[Path], None], said: str
) -> None:
    path = Path(os.path.normpath(library / where))
    do(path)
    assert installation.doubt(str(library)) == f"{path} {said}"


def test_what_lies_beside_ours_is_looked_at_alone(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_VERSIONS", str(library.parent))
    open_up(library.parent)
    assert installation.doubt(str(library)) == ""
    give(library / "runit_provision/module.py")
    assert installation.doubt(str(library)).endswith(f"module.py belongs to user {NOBODY}")


def test_what_is_not_there_is_doubted(library: Path) -> None:
    assert installation.doubt(f"{library}-gone") == f"{library}-gone: No such file or directory"


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
