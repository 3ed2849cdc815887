"""A loss of power at any moment of an apply: what may then be on the disk, and what the next apply makes of it.

The changes of a real apply, of the process and of the hand that it lends, are recorded by strace and replayed as far as what was synced
allows (see support.powerloss). A run takes a sample that a seed gives (POWER_SEED repeats it); HARNESS=all takes many times as much.
"""

from __future__ import annotations

import os
import pwd
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support import oracle
from support.draws import draws
from support.places import Place
from support.powerloss import Disk, lose, record, snapshot
from support.syscalls import traced

from runit_provision.apply import paths
from runit_provision.model.tree import File, RenderedTree

from .test_syscalls import USER, apply_second, first, kept, left, prepared, second

pytestmark = draws
LOSSES = 1000 if os.environ.get("HARNESS") == "all" else 15
SEED = int(os.environ.get("POWER_SEED", time.time_ns() % 10**6))


@pytest.fixture
def base(memory: Path) -> Path:
    oracle.root("processes with other credentials are traced")
    return memory / "base"


def contents(*trees: RenderedTree) -> dict[str, set[bytes]]:
    found: dict[str, set[bytes]] = {}
    for tree in trees:
        for node in tree.nodes:
            if isinstance(node.entry, File):
                found.setdefault(node.path, set()).add(node.entry.content)
    return found


def assert_nothing_is_half_live(place: Place) -> None:
    """Whatever a runsvdir would start is whole: each of its files is as one of the trees, or the hand that edited it, has it."""
    whole = contents(first(place.base), second(place.base))
    for link in (*place.base.glob("service/*"), *place.base.glob("home/service/*")):
        service = link.readlink()
        if link.name.startswith(".") or not service.is_dir():
            continue
        assert (service / "run").read_bytes() in whole[f"{service}/run"]
        assert (service / "run").stat().st_mode & 0o111
        for path in service.rglob("*"):
            if path.is_file() and str(path) in whole and not path.name.startswith("."):
                assert path.read_bytes() in whole[str(path)] | {b"edited"}


class Stingy(random.Random):
    """The worst of all disks: it keeps nothing but what it has to."""

    def randint(self, a: int, b: int) -> int:  # noqa: ARG002
        return a

    def choice(self, seq: Any) -> Any:
        return seq[0]


@pytest.mark.parametrize("ordered", [True, False], ids=["names in order", "names in no order"])
@pytest.mark.parametrize("few", [32, 0], ids=["synced one by one", "synced as a whole"])
def test_after_a_loss_of_power_nothing_is_half_live_and_the_next_apply_completes(
    base: Path, few: int, ordered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "_FEW", few)
    place = prepared(base)
    disk = Disk(base)
    before = snapshot(disk)
    trace = traced(lambda: apply_second(place), base.parent)
    user = pwd.getpwnam(USER)
    recording = record(trace, disk, user=(user.pw_uid, user.pw_gid))
    wanted, wanted_kept = left(place), kept(place)
    shutil.rmtree(base)
    disk.write(base)
    assert (left(place), kept(place)) == (wanted, wanted_kept), "the recording, replayed whole, is what the apply did"
    assert place.plan(second(base)).empty
    told = lose(recording, before, recording.last, Stingy(), ordered=False)
    shutil.rmtree(base)
    disk.write(base)
    with explained("what had to be on the disk when apply returned; what is lost has a minus:", told):
        assert left(place) == wanted
    chosen = random.Random(SEED)
    for number in range(LOSSES):
        at = chosen.randint(0, recording.last)
        told = lose(recording, before, at, chosen, ordered=ordered)
        shutil.rmtree(base)
        disk.write(base)
        with explained(f"loss {number} of POWER_SEED={SEED}, after call {at}; what is lost has a minus:", told):
            assert_nothing_is_half_live(place)
            assert apply_second(place).problems == []
            assert left(place) == wanted
            assert place.plan(second(base)).empty
            assert kept(place).count("edited") == 2
    print(f"\n{LOSSES} losses of power among {len(recording.changes)} changes, seed {SEED}: nothing half-live, each completed")


@contextmanager
def explained(head: str, lines: Sequence[str]) -> Iterator[None]:
    """Print what led to a failure: processes take turns otherwise the next time, so the seed alone does not bring it back."""
    try:
        yield
    except BaseException:
        print("", head, *lines, sep="\n")
        raise
