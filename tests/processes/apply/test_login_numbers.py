"""Accounts with the numbers, and of the kind, that the data say."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import oracle
from support.command import runit_provision

DATA = """\
runit:
  runtime: none
  profile: false
  groups: {tapes: {system: true}}
  users:
    joe: {manage: {uid: 4711, gid: 4712}, groups: [tapes]}
"""


@pytest.mark.shows("data", "manage", "uid", "gid")
@pytest.mark.shows("data", "group", "system")
@pytest.mark.shows("data", "user", "groups", "manage")
def test_a_primary_group_by_its_number_and_one_of_the_systems(tmp_path: Path) -> None:
    oracle.root("accounts")
    image = tmp_path / "image"
    for folder in ("etc", "home", "var/lib"):
        (image / folder).mkdir(parents=True)
    (image / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (image / "etc/group").write_text("root:x:0:\n")
    (tmp_path / "data.yaml").write_text(DATA)
    applied = runit_provision("apply", "--root", image, "--data", tmp_path / "data.yaml")
    assert (applied.status, applied.err) == (0, "")
    assert (image / "etc/passwd").read_text().splitlines()[1].startswith("joe:x:4711:4712:")
    rows = (line.split(":") for line in (image / "etc/group").read_text().split())
    groups = {name: (int(gid), members) for name, _, gid, members in rows}
    assert groups["joe"][0] == 4712
    assert groups["tapes"][0] < 1000
    assert groups["tapes"][1] == "joe"
