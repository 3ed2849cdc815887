"""Any history of applies, kills, rollbacks and a person's edits leaves an image's accounts as the data say, each whole and once."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support import oracle
from support.faults import interrupted

from runit_provision.app import provision
from runit_provision.app.source import Source
from runit_provision.app.target import Target
from runit_provision.errors import HostError

SHELLS = st.sampled_from(["/bin/sh", "/bin/bash"])
MANAGED = st.fixed_dictionaries({}, optional={"shell": SHELLS, "comment": st.sampled_from(["one", "two"]), "skeleton": st.booleans()})
USERS = st.fixed_dictionaries(
    {"manage": MANAGED}, optional={"groups": st.just(["media"]), "services": st.just({"worker": {"command": ["sleep", "9"]}})}
)
DATA = st.dictionaries(st.sampled_from(["joe", "ann"]), USERS, max_size=2)


class Histories(RuleBasedStateMachine):
    """One image, everything that can happen to its accounts, and what must be true whenever an apply was completed."""

    def __init__(self) -> None:
        super().__init__()
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(dir=memory))
        self.folder.chmod(0o755)
        self.root = self.folder / "image"
        for folder in ("etc/skel", "home", "var/lib"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "etc/skel/.profile").write_text("umask 022\n")
        for name, text in (("passwd", "root:x:0:0:root:/root:/bin/sh\n"), ("group", "root:x:0:\n"), ("shadow", "root:*:::::::\n")):
            (self.root / "etc" / name).write_text(text)
        (self.root / "etc/gshadow").write_text("root:*::\n")
        self.made: set[str] = set()
        """Accounts that a completed apply made: none of them ever goes."""
        self.applied: dict[str, Any] | None = None

    def apply_to(self, users: dict[str, Any]) -> None:
        source, target = self.question(users)
        report = provision.apply(source, target, lock_timeout=60, service_timeout=1, announce=lambda _: None)
        assert report.ok, report.problems

    def question(self, users: dict[str, Any]) -> tuple[Source, Target]:
        data = self.folder / "data.json"
        runit = {"runtime": "none", "profile": False, "groups": {"media": {}}, "users": users}
        data.write_text(json.dumps({"runit": runit}))
        return Source(data=data), Target(root=self.root)

    @rule(users=DATA)
    def apply(self, users: dict[str, Any]) -> None:
        self.apply_to(users)
        self.applied = users
        self.made |= users.keys()

    @rule(users=DATA, at=st.integers(0, 150), late=st.booleans())
    def apply_and_be_killed(self, users: dict[str, Any], at: int, late: bool) -> None:
        interrupted(lambda: self.apply_to(users), at=at, late=late)
        self.applied = None

    @rule()
    def roll_back(self) -> None:
        try:
            report = provision.rollback(Target(root=self.root), lock_timeout=60, service_timeout=1)
            assert report.ok, report.problems
        except HostError as error:
            assert "no apply to roll back" in str(error)
        self.applied = None

    @rule(name=st.sampled_from(["joe", "ann"]), shell=SHELLS)
    def a_person_changes_a_shell(self, name: str, shell: str) -> None:
        passwd = self.root / "etc/passwd"
        lines = [line.split(":") for line in passwd.read_text().splitlines()]
        passwd.write_text("".join(":".join([*line[:6], shell if line[0] == name else line[6]]) + "\n" for line in lines))
        self.applied = None

    def table(self, name: str) -> dict[str, list[str]]:
        rows = [line.split(":") for line in (self.root / "etc" / name).read_text().splitlines()]
        assert len({row[0] for row in rows}) == len(rows), f"each name stands once in {name}"
        return {row[0]: row for row in rows}

    @invariant()
    def nothing_ever_goes_and_each_number_is_given_once(self) -> None:
        logins, groups = self.table("passwd"), self.table("group")
        assert {"root", *self.made} <= logins.keys()
        assert len({row[2] for row in logins.values()}) == len(logins)
        assert len({row[2] for row in groups.values()}) == len(groups)
        assert logins.keys() <= self.table("shadow").keys()
        assert groups.keys() <= self.table("gshadow").keys()

    @invariant()
    def what_was_applied_is_what_there_is(self) -> None:
        if self.applied is None:
            return
        assert provision.plan(*self.question(self.applied)).empty
        logins, groups = self.table("passwd"), self.table("group")
        for name, user in self.applied.items():
            home = (self.root / "home" / name).stat()
            assert (home.st_uid, home.st_gid) == (int(logins[name][2]), int(groups[name][2]))
            assert logins[name][6] == user["manage"].get("shell", logins[name][6])
            assert ("groups" not in user) or name in groups["media"][3].split(",")
            assert self.table("shadow")[name][1] == "!"
        assert not list(self.root.rglob(".runit-provision.*"))

    def teardown(self) -> None:
        shutil.rmtree(self.folder)


Histories.TestCase.settings = settings(max_examples=15, stateful_step_count=8, phases=[Phase.explicit, Phase.generate])
if os.environ.get("HARNESS") == "all":
    Histories.TestCase.settings = settings(Histories.TestCase.settings, max_examples=300, derandomize=False)


@pytest.fixture(autouse=True)
def as_root() -> None:
    oracle.root("accounts and others' homes")


TestAccountHistories = Histories.TestCase
