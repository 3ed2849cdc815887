"""Supervisor, keeper, pool and holder are killed between any two of their system calls, alone and in pairs: as if nothing had been.

The system calls of each act are counted first. Then it is struck at each of them with HARNESS=all, else at some that are drawn from all
of them, and whether runsvdir has -P (INSTANTS_SEED repeats these); the counts are printed.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import NamedTuple

import pytest
from support.draws import draws, seed
from support.instants import HOLDER, KEEPER, LINES, POOL, SUPERVISOR, World, numbers
from support.supervision import tree

ALL = os.environ.get("HARNESS") == "all"
SAMPLE = 2
"""Instants of each pair of roles and acts by default."""
MOST = 2000
"""System calls of one act, at most."""
ROLES = [
    (SUPERVISOR,),
    (KEEPER,),
    (POOL,),
    (SUPERVISOR, KEEPER),
    (KEEPER, SUPERVISOR),
    (SUPERVISOR, POOL),
    (POOL, SUPERVISOR),
    (KEEPER, POOL),
    (POOL, KEEPER),
    (HOLDER,),
    (SUPERVISOR, HOLDER),
    (HOLDER, SUPERVISOR),
    (KEEPER, HOLDER),
    (HOLDER, KEEPER),
    (POOL, HOLDER),
    (HOLDER, POOL),
]
ACTS = ("restart", "dies", "down_and_up", "hup", "restart_logs", "pooled_log_down_and_up", "add_and_remove")
STARTS = {"start": World.strike_start, "start_without_keeper": World.strike_start_without_keeper}
WITHOUT_LETTERS = ("dies", "add_and_remove")
"""A letter that neither has read is gone with supervisor and holder: test_unread_letters.py."""


class Count(NamedTuple):
    """Of one act: its system calls, when they were counted; how often it was to be struck at one of these, and was."""

    calls: int
    tried: int
    struck: int

    def __str__(self) -> str:
        return f"{self.struck}/{self.tried} of {self.calls}"


@draws
@pytest.mark.parametrize("roles", ROLES, ids="+".join)
def test_a_kill_between_any_two_system_calls_changes_nothing(runtime: Path, tmp_path: Path, roles: tuple[str, ...]) -> None:
    random_ = random.Random(f"{seed('INSTANTS_SEED')} {roles}")
    counts: dict[str, Count] = {}
    options = random_.choice([[], ["-P"]])
    with tree(runtime / "runsvdir", tmp_path / "services", tmp_path / "state", *options) as running:
        (tmp_path / "services").mkdir()
        world = World(running, runtime, tmp_path / "added")
        acts = WITHOUT_LETTERS if {SUPERVISOR, HOLDER} <= {*roles} else ACTS
        # Without its keeper it makes twice as many calls.
        starts = STARTS if roles == (SUPERVISOR,) else ("start",) if SUPERVISOR in roles[:1] else ()
        for name in (*acts, *starts):
            counts[name] = strike_all(world, name, roles, random_)
        said = {home.name: numbers(home / "told")[0] // LINES for home in world.talkers}
    struck, tried = (sum(getattr(count, which) for count in counts.values()) for which in ("struck", "tried"))
    shown = ", ".join(f"{name} {count}" for name, count in counts.items())
    print(f"{'+'.join(roles)}, runsvdir {options}: struck {struck}/{tried} ({shown}); HUPs sent {world.hups}, handled {said}")
    # What the same act takes is not the same number each time; of a few that are drawn, all may be near its end.
    assert struck >= (tried * 0.8 if ALL else 1) > 0, "what was to be struck was"
    # Who is killed within kill(2) cannot tell whether it was sent: then it is sent again. That is the keeper's instant alone.
    assert all(said[name] >= count if KEEPER in roles else said[name] == count for name, count in world.hups.items())


def strike_all(world: World, name: str, roles: tuple[str, ...], random_: random.Random) -> Count:
    """Strike an act at each of its instants, or at a few that are drawn from all."""
    assert not strike(world, name, roles, MOST), f"{name} takes more than {MOST} system calls"
    calls, struck, missed = world.calls, 0, 0
    drawn = [random_.randint(1, calls) for _ in range(SAMPLE if name not in STARTS else SAMPLE * 2)] if calls else []
    for at in range(1, MOST) if ALL else drawn:
        if strike(world, name, roles, at):
            struck += 1
            missed = 0
        else:
            missed += 1
            if ALL and missed >= 3 and at > calls:
                break
    return Count(calls, calls if ALL else len(drawn), struck)


def strike(world: World, name: str, roles: tuple[str, ...], at: int) -> bool:
    try:
        return STARTS[name](world, roles, at) if name in STARTS else world.strike(getattr(world, name), roles, at)
    except AssertionError as error:
        raise AssertionError(f"{name}, at system call {at}: {error}") from None
