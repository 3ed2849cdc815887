"""Supervisor, keeper, pool and holder are killed between any two of their system calls, alone and in pairs: as if nothing had been.

A drawn sample by default (INSTANTS_SEED repeats one), each instant with HARNESS=all; the counts are printed.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from support.instants import HOLDER, KEEPER, LINES, POOL, SUPERVISOR, World, numbers
from support.supervision import tree

ALL = os.environ.get("HARNESS") == "all"
SAMPLE = 2
"""Instants of each pair of roles and acts by default."""
MOST = 2000
"""System calls of one act, at most: what is drawn beyond the last one strikes nothing, and says so."""
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
WITHOUT_LETTERS = ("dies", "add_and_remove")
"""A letter that neither has read is gone with supervisor and holder: test_unread_letters.py."""


@pytest.mark.parametrize("roles", ROLES, ids="+".join)
def test_a_kill_between_any_two_system_calls_changes_nothing(runtime: Path, tmp_path: Path, roles: tuple[str, ...]) -> None:
    seed = int(os.environ.get("INSTANTS_SEED", time.time_ns() % 1_000_000))
    random_ = random.Random(f"{seed} {roles}")
    struck: dict[str, int] = {}
    with tree(runtime / "runsvdir", tmp_path / "services", tmp_path / "state") as running:
        (tmp_path / "services").mkdir()
        world = World(running, runtime, tmp_path / "added")
        acts = WITHOUT_LETTERS if {SUPERVISOR, HOLDER} <= {*roles} else ACTS
        for name in (*acts, *(["start"] if SUPERVISOR in roles[:1] else [])):
            struck[name] = strike_all(world, name, roles, random_)
        said = {home.name: numbers(home / "told")[0] // LINES for home in world.talkers}
    print(f"seed {seed}, {'+'.join(roles)}: struck {sum(struck.values())} {struck}; HUPs sent {world.hups}, handled {said}")
    # Who is killed within kill(2) cannot tell whether it was sent: then it is sent again. That is the keeper's instant alone.
    assert all(said[name] >= count if KEEPER in roles else said[name] == count for name, count in world.hups.items())


def strike_all(world: World, name: str, roles: tuple[str, ...], random_: random.Random) -> int:
    """Strike an act at each of its instants, or at a few that are drawn; give how many there were."""
    count = missed = 0
    last = MOST
    for at in range(1, MOST) if ALL else [random_.random() for _ in range(SAMPLE if name != "start" else SAMPLE * 2)]:
        instant = at if isinstance(at, int) else 1 + int(at * at * min(last, 150 if name in {"start", "add_and_remove"} else 40))
        if strike(world, name, roles, instant):
            count += 1
            missed = 0
        else:
            last = instant
            missed += 1
            # What the same act takes is not the same number each time.
            if ALL and missed == 3:
                break
    return count


def strike(world: World, name: str, roles: tuple[str, ...], at: int) -> bool:
    try:
        return world.strike_start(roles, at) if name == "start" else world.strike(getattr(world, name), roles, at)
    except AssertionError as error:
        raise AssertionError(f"{name}, at system call {at}: {error}") from None
