"""What an error of the disk says to people."""

from __future__ import annotations

import errno
import os

import pytest

from runit_provision.apply import paths


@pytest.mark.parametrize(("uid", "hint"), [(1001, "; that is root's to do; `--user NAME` applies the tree of one user alone"), (0, "")])
def test_who_is_not_root_learns_how_to_apply_a_tree_of_ones_own(uid: int, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    (problem,) = paths.problems(OSError(errno.EACCES, os.strerror(errno.EACCES), "/etc/sv/web"))
    assert str(problem) == f"/etc/sv/web: Permission denied{hint}"
