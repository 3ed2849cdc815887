"""An apply that strace kills, or whose call it lets fail, at every system call that changes something; then an apply again.

Both in the process that applies and in a hand that works with a user's credentials. A run takes a sample that a seed gives
(FAULT_SEED repeats it); HARNESS=all takes every fault, in parts that may run beside each other. The counts by kind are printed.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import pytest
from support import oracle
from support.draws import draws, seed
from support.places import Place
from support.syscalls import Call, faults, struck
from support.trees import Unit, grow, join

from runit_provision.apply import Report
from runit_provision.model.tree import Effect, Realm, RenderedTree

pytestmark = draws
ALL = os.environ.get("HARNESS") == "all"
SAMPLE = 6
"""Of each kind."""
PARTS = 8 if ALL else 1
ERRORS = ("ENOSPC", "EIO", "EACCES", "EMFILE")
USER = "nobody"


@pytest.fixture
def base(memory: Path) -> Path:
    oracle.root("processes with other credentials are traced, and homes are others'")
    return memory / "base"


def realm(base: Path) -> Realm:
    return Realm(USER, str(base / "home"))


def first(base: Path) -> RenderedTree:
    mine = [Unit("a", files={"env/ONE": (b"1\n", Effect.RESTART)}), Unit("b"), Unit("c", log=b"#!/bin/sh\nlog\n")]
    return join(grow(base, mine), grow(realm(base).base, mine, realm=realm(base)))


def second(base: Path) -> RenderedTree:
    changed = Unit("a", run=b"#!/bin/sh\nexec new\n", mode=0o700, files={"env/TWO": (b"2\n", Effect.RESTART)})
    mine = [changed, Unit("c"), Unit("d", log=b"#!/bin/sh\nlog\n", enabled=False)]
    return join(grow(base, mine), grow(realm(base).base, mine, realm=realm(base)))


def prepared(base: Path) -> Place:
    """A place where the first trees were applied, and hands then edited this and that."""
    shutil.rmtree(base, ignore_errors=True)
    (base / "home").mkdir(parents=True)
    shutil.chown(base / "home", USER)
    place = Place(base)
    assert place.apply(first(base)).ok
    (base / "sv/b/notes").write_text("a person's own")
    for folder in (base, base / "home"):
        (folder / "sv/a/env/ONE").write_text("edited")
    return place


def apply_second(place: Place) -> Report:
    return place.apply(second(place.base), lock_timeout=60.0)  # hands of one that was killed hold it until they are gone


def left(place: Place) -> tuple[dict[str, str], list[str]]:
    """Everything there is but what is kept, and the names in the library without the apply's own."""
    listing = {path: what for path, what in place.listing().items() if "/.runit-provision/" not in path}
    return listing, sorted(path.name.split(".2")[0] for path in place.library.iterdir())


def kept(place: Place) -> list[str]:
    """What was replaced or removed, as it is kept for a rollback or for good, in the library and in the home."""
    folders = (place.library / "kept", place.base / "home/.runit-provision")
    return sorted(path.read_text() for folder in folders if folder.exists() for path in folder.iterdir() if path.is_file())


def sampled(every: Sequence[str]) -> list[str]:
    by_kind: dict[str, list[str]] = {}
    for fault in every:
        by_kind.setdefault(fault.split(":")[1], []).append(fault)
    chosen = random.Random(seed("FAULT_SEED"))
    return [fault for some in by_kind.values() for fault in (some if ALL else chosen.sample(some, min(SAMPLE, len(some))))]


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("hand", [False, True], ids=["who applies", "a lent hand"])
def test_whatever_system_call_is_the_last_or_fails_the_next_apply_ends_as_if_nothing_had_happened(
    base: Path, hand: bool, part: int
) -> None:
    place = prepared(base)
    made: list[Call] = struck(lambda: apply_second(place), base.parent, hand=hand).calls
    wanted, wanted_kept = left(place), kept(place)
    assert place.plan(second(base)).empty
    assert sum(call.changes for call in made) > 40
    counts: Counter[str] = Counter()
    missed = 0
    for fault in sampled([fault for fault in faults(made, ERRORS) if crc32(fault.encode()) % PARTS == part]):
        place = prepared(base)
        if not struck(lambda place=place: apply_second(place), base.parent, hand=hand, fault=fault).reached:  # type: ignore[misc]
            missed += 1
            continue
        counts[fault.split(":")[1]] += 1
        assert apply_second(place).problems == [], fault
        assert left(place) == wanted, fault
        # An apply that could not do all was completed: a rollback undoes the next one, which did the rest.
        killed = "SIGKILL" in fault and not hand
        assert kept(place) == wanted_kept if killed else kept(place).count("edited") >= 2, fault
        assert place.plan(second(base)).empty, fault
    who = "a lent hand" if hand else "who applies"
    print(f"\n{who}: {len(made)} calls; struck: {dict(counts)}; not reached: {missed}; left behind: 0")
    assert len(counts) == len(ERRORS) + 1
