"""A storm of SIGKILLs: supervisor, keeper, pool and holder, alone and in pairs, at random, under load. Nothing twice, nothing lost.

But supervisor, pool and holder are never all dead at once, since what they have open is gone with the last of them (README, "Limits").
50 kills by default, 2,000 with HARNESS=all; the counts are printed, and how often a log was lost where that is not spared.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from support import supervision
from support.supervision import Tree, has_open, log_in_pool, pid_of, service, tree
from support.waiting import DEADLINE, until

KILLS = 2000 if os.environ.get("HARNESS") == "all" else 50
LONE_KILLS = 300 if KILLS > 50 else 20
STEADY = 4
ROLES = {"supervisor": "runsvdir", "keeper": "runsvdir-keeper", "pool": "log-pool", "holder": "fifo-holder"}
ALONE = 'mkdir running || echo "$$" >>doubles\n'
"""A service that finds `running` is there twice: it removes it before it ends, and nobody kills services here."""


def world(folder: Path, runtime: Path) -> None:
    for number in range(STEADY):
        service(folder / f"steady{number}", 'echo "$$" >>starts\nexec sleep 1000')
    service(folder / "ends", f'{ALONE}echo "$$" >>starts\nsleep 0.05\nrmdir running\nexit 1', finish="echo finished >>finishes")
    service(folder / "lasts", f'{ALONE}echo "$$" >>starts\nsleep 1.05\nrmdir running')
    service(folder / "ignores", "trap '' TERM\necho $$ >>starts\nwhile :; do sleep 0.5; done")
    service(folder / "forks", 'echo "$$" >>starts\nwhile :; do (:) ; sleep 0.02; done')
    for name, log in (("floods", "exec sh -c 'while IFS= read -r l; do echo \"$l\"; done >>../lines'"), ("pooled", "")):
        counter = 'echo "$$" >>starts\ni=0; while [ ! -e stop ]; do echo "$i"; i=$((i+1)); [ $((i % 50)) -ne 0 ] || sleep 0.01; done\n'
        home = service(folder / name, counter + 'echo "$i" >last; exec sleep 1000', log=log or "exit 1", finish='echo "$1 $2" >>ended')
        if name == "pooled":
            log_in_pool(home, runtime)


def victims(running: Tree) -> dict[str, list[int]]:
    found = {pid: supervision.name(pid) for pid in running.processes()}
    # A child of the keeper bears its name until it is a service, as which it is not to be killed.
    services = [pid for pid, name in found.items() if name == ROLES["keeper"] == found.get(supervision.parent(pid))]
    return {role: [pid for pid, name in found.items() if name == ROLES[role] and pid not in services] for role in ROLES}


def outlives(roles: list[str], running: Tree) -> bool:
    """Whether somebody else than these has the FIFO to the pool's log open: not a stand-in, which may yield just now."""
    found = {**victims(running), "supervisor": [running.pid], "keeper": []}
    fifo = (running.services / "pooled/log/supervise/pipe").resolve()
    return any(has_open(pid, fifo) for role in found.keys() - roles for pid in found[role])


def strike(running: Tree, random_: random.Random) -> str:
    """Kill one or two of the four at once; start the next runsvdir when it was killed, as init does, some time later."""
    roles = random_.sample(list(ROLES), random_.choice([1, 1, 2]))
    until(lambda: outlives(roles, running), what=f"another one than {' and '.join(roles)} has the FIFO to the pool's log open")
    kill(running, roles, random_.choice([0, 0.01, 0.05]))
    return "+".join(sorted(roles))


def kill(running: Tree, roles: list[str], later: float) -> None:
    """Return when they are dead: who is about to die has its files open still, and would pass for one that outlives the next."""
    found = victims(running)
    struck = []
    for pid in (pid for role in roles for pid in found[role]):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        struck.append(pid)
    until(lambda: not any(supervision.is_alive(pid) for pid in struck), what="they are dead")
    assert running.process is not None
    if "supervisor" in roles:
        # One that has only just been started does not bear its name yet.
        running.process.kill()
        running.process.wait(DEADLINE)
        time.sleep(later)
    if running.process.poll() is not None:
        running.start()


def numbers(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def test_a_storm_of_kills_starts_nothing_twice_and_loses_nothing(runtime: Path, tmp_path: Path, capfd: object) -> None:
    folder = tmp_path / "services"
    world(folder, runtime)
    seed = int(os.environ.get("STORM_SEED", time.time_ns() % 1_000_000))
    random_ = random.Random(seed)
    struck: dict[str, int] = {}
    with tree(runtime / "runsvdir", folder, tmp_path / "state") as running:
        running.start()
        homes = sorted(folder.iterdir())
        until(lambda: all(numbers(home / "starts") for home in homes), what="all have begun")
        began = {home.name: numbers(home / "starts") for home in homes}
        for _ in range(KILLS):
            what = strike(running, random_)
            struck[what] = struck.get(what, 0) + 1
            # When it is struck is the point; nothing waits for this.
            time.sleep(random_.choice([0, 0.002, 0.01, 0.03, 0.1, 0.2]))
        for name in ("floods", "pooled"):
            (folder / name / "stop").touch()
            until(lambda name=name: numbers(folder / name / "last"), what=f"{name} stops")  # type: ignore[misc]
        constant = [home for home in homes if home.name not in {"ends", "lasts"}]
        print(f"seed {seed}: {KILLS} strikes {struck}")
        until(lambda: all(numbers(home / "starts")[-1] == str(pid_of(home)) for home in constant), what="every status is right")
        # Of those with a log, what finish was told says why: 13 is SIGPIPE.
        restarted = {
            home.name: (numbers(home / "starts"), numbers(home / "ended"))
            for home in constant
            if numbers(home / "starts") != began[home.name]
        }
        assert restarted == {}, "started twice, or lost and started again"
        assert [home.name for home in homes if (home / "doubles").exists()] == []
        lively = {home.name: len(numbers(home / "starts")) for home in homes if home.name in {"ends", "lasts"}}
        until(lambda: all(len(numbers(folder / name / "starts")) > count for name, count in lively.items()), what="they still start")
        assert supervision.is_alive(pid_of(folder / "ignores"))
        for name, where in (("floods", "lines"), ("pooled", "log/main/current")):
            count = int(numbers(folder / name / "last")[0])
            logged = folder / name / where
            until(lambda: len(numbers(logged)) >= count, what=f"{name}: every line is logged")  # noqa: B023
            assert numbers(logged) == [str(number) for number in range(count)], name


def test_a_log_that_supervisor_pool_and_holder_lose_at_once_goes_on_anew(runtime: Path, tmp_path: Path) -> None:
    """They are killed one at a time here, without regard for who is there: how often a service lost its log, a whole run prints."""
    writer = "echo $$ >>starts\ni=0; while :; do echo $i; i=$((i+1)); [ $((i % 50)) -ne 0 ] || sleep 0.01; done"
    homes = [service(tmp_path / "services" / f"writes{number}", writer, log="exit 1") for number in range(4)]
    for home in homes:
        log_in_pool(home, runtime)
    seed = int(os.environ.get("STORM_SEED", time.time_ns() % 1_000_000))
    random_ = random.Random(seed)
    with tree(runtime / "runsvdir", tmp_path / "services", tmp_path / "state") as running:
        running.start()
        until(lambda: all(numbers(home / "starts") for home in homes), what="all have begun")
        for _ in range(LONE_KILLS):
            kill(running, [random_.choice(list(ROLES))], random_.choice([0, 0.01, 0.05]))
            # When it is struck is the point; nothing waits for this.
            time.sleep(random_.choice([0, 0.002, 0.01, 0.03, 0.1, 0.2, 0.4]))
        until(lambda: all(str(pid_of(home)) == numbers(home / "starts")[-1] for home in homes), what="every status is right")
        print(f"seed {seed}: {LONE_KILLS} kills, started again: {[len(numbers(home / 'starts')) - 1 for home in homes]}")
        logged = {home: (home / "log/main/current").stat().st_size for home in homes}
        until(lambda: all((home / "log/main/current").stat().st_size > size for home, size in logged.items()), what="all log on")
