"""Which places another than root could change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support import oracle

from runit_provision.host.trust import doubts


@pytest.fixture
def root(tmp_path: Path) -> Path:
    oracle.root("gives folders to others")
    for folder in ("etc", "opt/runit/bin", "home/jo/runit/bin", "tmp/runit/bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\njo:x:1000:1000::/home/jo:/bin/sh\n")
    (tmp_path / "etc/group").write_text("root:x:0:\nstaff:x:50:\nadm:x:4:root,jo\njo:x:1000:\n")
    (tmp_path / "tmp").chmod(0o1777)
    os.chown(tmp_path / "home/jo", 1000, 1000)
    return tmp_path


def said(root: Path, path: str) -> list[tuple[str, str]]:
    return [(problem.path, problem.message.partition(",")[0]) for problem in doubts(path, root=root)]


def test_what_only_root_may_change(root: Path) -> None:
    assert said(root, "/opt/runit/bin/runsvdir") == []
    assert said(root, "/opt/not/there/yet") == []
    assert said(root, "/tmp/runit/bin/runsvdir") == []


def test_below_a_folder_of_another(root: Path) -> None:
    assert said(root, "/home/jo/runit/bin/runsvdir") == [("/home/jo", "belongs to user 1000")]


@pytest.mark.parametrize(
    ("mode", "group", "expected"),
    [
        (0o777, 0, [("/opt", "everybody can write there")]),
        (0o775, 4, [("/opt", "jo can write there")]),
        (0o775, 1000, [("/opt", "jo can write there")]),
        (0o775, 50, []),  # Debian's staff, in which nobody is
        (0o775, 0, []),
        (0o755, 4, []),
    ],
)
def test_modes(root: Path, mode: int, group: int, expected: list[tuple[str, str]]) -> None:
    os.chown(root / "opt", 0, group)
    (root / "opt").chmod(mode)
    assert said(root, "/opt/runit/bin/runsvdir") == expected


def test_a_link_is_as_good_as_the_folder_in_which_it_is_found(root: Path) -> None:
    (root / "home/jo/link").symlink_to("/opt/runit")
    (root / "usr").mkdir()
    (root / "usr/local").symlink_to("/home/jo/runit")
    assert said(root, "/home/jo/link/bin/runsvdir") == [("/home/jo", "belongs to user 1000")]
    assert said(root, "/usr/local/bin/runsvdir") == [("/home/jo", "belongs to user 1000")]
