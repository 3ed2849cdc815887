"""Any history of applies, kills, rollbacks and a person's own work ends as the data says, and takes nothing that is the person's."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.faults import interrupted
from support.places import Place
from support.trees import ORIGIN, SYSTEM, Unit, grow

from runit_provision import plan
from runit_provision.errors import HostError
from runit_provision.model.answer import Beside
from runit_provision.model.tree import Effect, Purge, RenderedTree

NAMES = st.sampled_from(["a", "b", "c"])
CONTENTS = st.sampled_from([b"", b"one\n", b"two\n", b"\x00\xff"])
FILES = st.dictionaries(st.sampled_from(["check", "env/ONE", "env/TWO", "deep/er/file"]), st.tuples(CONTENTS, st.just(Effect.RESTART)))
UNITS = st.builds(
    Unit, NAMES, run=CONTENTS, files=FILES, mode=st.sampled_from([0o755, 0o700]), log=st.none() | CONTENTS, enabled=st.booleans()
)
TREES = st.lists(UNITS, unique_by=lambda unit: unit.name, max_size=3)
STRANGERS = st.sampled_from(["x", "y"])
"""Services that a person makes, which no data know."""


class Histories(RuleBasedStateMachine):
    """One place, everything that can happen to it, and what must be true whenever an apply was completed."""

    def __init__(self) -> None:
        super().__init__()
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(dir=memory))
        self.place = Place(self.folder)
        self.own: dict[Path, str] = {}
        self.doubtful: set[str] = set()
        """What a person wrote after a kill in a directory that is not the apply's: nobody knows whether it had come there."""
        self.killed = False
        """Whether the last apply was."""
        self.applied: RenderedTree | None = None
        self.answered: RenderedTree | None = None
        """The tree that the manifest is the answer to, whatever was done on the host since."""

    def tree(self, units: list[Unit], *, purge: bool) -> RenderedTree:
        purges = (Purge(SYSTEM, (f"{self.folder}/service",), f"{self.folder}/sv", ORIGIN),) if purge else ()
        return replace(grow(self.folder, units), purges=purges)

    @rule(units=TREES, purge=st.booleans())
    def apply(self, units: list[Unit], purge: bool) -> None:
        if purge:
            self.strangers_go()
        report = self.place.apply(self.tree(units, purge=purge))
        assert report.ok, report.problems
        self.applied = self.answered = self.tree(units, purge=purge)
        self.killed = False

    @rule(units=TREES, at=st.integers(0, 120), late=st.booleans(), purge=st.booleans())
    def apply_and_be_killed(self, units: list[Unit], at: int, late: bool, purge: bool) -> None:
        if purge:
            self.doubtful |= self.strangers_go()
        interrupted(lambda: self.place.apply(self.tree(units, purge=purge)), at=at, late=late)
        self.applied = self.answered = None
        self.killed = True

    def strangers_go(self) -> set[str]:
        """Expect no more of the services that no data know; give their paths."""
        gone = {path for path in self.own if path.parent.name in "xy"}
        for path in gone:
            del self.own[path]
        return {str(each) for path in gone for each in (path, path.parent, self.folder / "service" / path.parent.name)}

    @rule()
    def roll_back(self) -> None:
        if (self.place.library / "last").exists() or (self.place.library / "journal").exists():
            try:
                report = self.place.rollback()
                assert report.ok, report.problems
            except HostError as error:
                assert "no apply to roll back" in str(error)
            self.applied = self.answered = None
            for name in "xy":  # what was purged may be back, as it was
                run = self.folder / "sv" / name / "run"
                if (self.folder / "service" / name).is_symlink() and run.exists():
                    self.own[run] = f"run of {name}"

    @rule(name=STRANGERS)
    def a_person_makes_a_service(self, name: str) -> None:
        place, link = self.folder / "sv" / name, self.folder / "service" / name
        if place.exists() or link.is_symlink() or not (place.parent.is_dir() and link.parent.is_dir()):
            return
        place.mkdir()
        (place / "run").write_text(f"run of {name}")
        self.own[place / "run"] = f"run of {name}"
        link.symlink_to(f"../sv/{name}")
        self.applied = None

    @rule(name=NAMES)
    def a_person_keeps_a_file_there(self, name: str) -> None:
        path = self.folder / "sv" / name / "notes"
        if path.parent.is_dir():
            path.write_text("mine")
            self.own[path] = "mine"

    @rule(name=NAMES, what=st.sampled_from(["edited", "gone"]))
    def a_person_changes_a_run(self, name: str, what: str) -> None:
        path = self.folder / "sv" / name / "run"
        if path.exists():
            path.unlink()
            if what == "edited":
                path.write_text("edited")
                if self.killed and (path.parent / "notes") in self.own:
                    self.doubtful.add(str(path))
            self.applied = None

    @invariant()
    def what_was_applied_is_what_there_is(self) -> None:
        if self.applied is None:
            return
        assert self.place.plan(self.applied).empty
        made = {node.path for node in self.applied.nodes}
        there = {str(self.folder / path) for path in self.place.listing()}
        kept = {str(path) for path in self.own} | {str(path.parent) for path in self.own}
        kept |= {str(self.folder / "service" / path.parent.name) for path in self.own}
        assert made <= there <= made | kept | self.doubtful

    @invariant()
    def what_is_remembered_tells_whether_there_is_something_to_do(self) -> None:
        if self.answered is None:
            return
        whole = self.place.plan(self.answered)
        with self.place.machine() as machine:
            observed = machine.observe(self.answered)
            others = [node for node in self.answered.nodes if node.path not in observed.manifest.records]
            short = plan.settled(tuple(Beside(node.path, node.realm, None) for node in others), observed)
        assert (short is not None) == whole.empty, plan.describe(whole)
        assert short is None or plan.describe(short) == plan.describe(whole)

    @invariant()
    def what_is_a_persons_own_stays(self) -> None:
        assert {path: path.read_text() for path in self.own} == self.own

    def teardown(self) -> None:
        shutil.rmtree(self.folder)


Histories.TestCase.settings = settings(max_examples=60, stateful_step_count=12, phases=[Phase.explicit, Phase.generate])
if os.environ.get("HARNESS") == "all":
    Histories.TestCase.settings = settings(Histories.TestCase.settings, max_examples=1500, derandomize=False)
TestHistories = Histories.TestCase


def test_what_was_purged_beside_what_a_killed_apply_had_made_comes_back(tmp_path: Path) -> None:
    place = Place(tmp_path)
    folder, link = tmp_path / "sv", tmp_path / "service/y"
    tree = grow(tmp_path, [Unit("a", run=b"one\n", files={}, mode=0o755, log=None, enabled=True)])
    for at in itertools.count():
        interrupted(lambda: place.apply(tree), at=at, late=False)
        if folder.is_dir() and link.parent.is_dir():
            break
    assert (place.library / "journal").exists(), "it was killed"
    (folder / "y").mkdir()
    (folder / "y/run").write_text("mine")
    link.symlink_to("../sv/y")
    purging = replace(grow(tmp_path, []), purges=(Purge(SYSTEM, (f"{tmp_path}/service",), f"{tmp_path}/sv", ORIGIN),))
    assert place.apply(purging).ok
    assert not link.is_symlink() and not (folder / "y").exists()
    report = place.rollback()
    assert report.ok, report.problems
    assert (link / "run").read_text() == "mine"
    assert not (folder / "a").exists()
