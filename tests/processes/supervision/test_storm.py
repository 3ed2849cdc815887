"""A storm of SIGKILLs: supervisor, keeper, pool and holder, alone and in pairs, at random, under load. Nothing twice, nothing lost.

But supervisor, pool and holder are never all dead at once, since what they have open is gone with the last of them (README, "Limits").
50 kills by default, 2,000 with HARNESS=all; the counts are printed, and how often a log was lost where that is not spared.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from support import supervision
from support.checked_log import STAMP, CheckedLog
from support.draws import draws, seed
from support.supervision import COUNTS, ROLES, Tree, has_open, letter, log_in_pool, pid_of, send, service, stat, status, tree
from support.waiting import DEADLINE, until

from runit_provision.runtime.wire.status import Status, unpack

KILLS = 2000 if os.environ.get("HARNESS") == "all" else 50
LONE_KILLS = 300 if KILLS > 50 else 20
STEADY = 4
BURST = 2000
"""Lines."""
ALONE = 'mkdir running || echo "$$" >>doubles\n'
"""A service that finds `running` is there twice: it removes it before it ends, and nobody kills services here."""


FLOOD = """
import os, random, select, signal, time
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGUSR1}})
chance, number, full, bursts = random.Random(os.getpid()), 0, 0, 0
with open("starts", "a") as starts:
    print(os.getpid(), file=starts)
while not os.path.exists("stop"):
    lines = [b"%d %s\\n" % (n, b"x" * (n * 7919 % 300)) for n in range(number, number + {burst})]
    number, bursts, text = number + len(lines), bursts + 1, b"".join(lines)
    # In pieces that end anywhere, of which some find no room, so that it has to wait inside a line.
    cuts = [0, *sorted(chance.sample(range(1, len(text)), 15)), len(text)]
    for piece in (text[begin:end] for begin, end in zip(cuts, cuts[1:])):
        full += not select.select([], [1], [], 0)[1]
        view = memoryview(piece)
        while view:
            view = view[os.write(1, view):]
    signal.sigtimedwait({{signal.SIGUSR1}}, chance.random() * 0.6)
with open("last.new", "w") as last:
    print(number, bursts, full, file=last)
os.rename("last.new", "last")
time.sleep(1000)
"""
"""Says numbered lines, some 300 KB at once, which is more than twice what its FIFO holds; the next ones soon, or when USR1 comes."""
TRICKLE = f'echo "$$" >>starts\n{COUNTS}'
FLOODS = ("floods", "pooled", "stamped")
"""A logger of its own; two logs of the pool, without stamps and with."""
ROTATIONS = {"floods": "s100000\nn0\n", "pooled": "s70000\nn0\n", "stamped": "s100000\nn0\n", "trickles": "s4000\nn0\n"}
POOLED = ("pooled", "stamped", "trickles")
UNASKED = ("ends", "lasts")
"""Those that start again and again; the status of all others stays as it is."""


def world(folder: Path, runtime: Path) -> None:
    for number in range(STEADY):
        service(folder / f"steady{number}", 'echo "$$" >>starts\nexec sleep 1000')
    service(folder / "ends", f'{ALONE}echo "$$" >>starts\nsleep 0.05\nrmdir running\nexit 1', finish="echo finished >>finishes")
    service(folder / "lasts", f'{ALONE}echo "$$" >>starts\nsleep 1.05\nrmdir running')
    service(folder / "ignores", "trap '' TERM\necho $$ >>starts\nwhile :; do sleep 0.5; done")
    service(folder / "forks", 'echo "$$" >>starts\nwhile :; do (:) ; sleep 0.02; done')
    # Told once what they are to be: this they stay.
    for name in ("paused", "once"):
        service(folder / name, 'echo "$$" >>starts\nexec sleep 1000')
    for name in ("stopped", "over"):
        service(folder / name, f'echo "$$" >>starts\n{"exec sleep 1000" if name == "stopped" else ""}')
    for name in ("down", "once", "over"):
        if name == "down":
            service(folder / name, 'echo "$$" >>starts\nexec sleep 1000')
        (folder / name / "down").touch()
    flood = folder.with_name("flood.py")
    flood.write_text(FLOOD.format(burst=BURST))
    for name, config in ROTATIONS.items():
        says = TRICKLE if name == "trickles" else f"exec {sys.executable} -IS {flood}"
        home = service(folder / name, says, log=f"exec {runtime}/svlogd -tt ./main", finish='echo "$1 $2" >>ended')
        if name == "floods":
            (home / "log/main").mkdir()
            (home / "log/main/config").write_text(config)
        else:
            log_in_pool(home, runtime, options="-tt" if name == "stamped" else "-b 1024", config=config)


def checked(home: Path) -> CheckedLog:
    """Give the log of one that floods or trickles. Of a pool no file goes that may be renamed meanwhile, of three or four a burst."""
    line = (lambda n: b"%d" % n) if home.name == "trickles" else (lambda n: b"%d %s" % (n, b"x" * (n * 7919 % 300)))
    return CheckedLog(home / "log/main", line, before=STAMP if home.name in {"floods", "stamped"} else b"", kept=12)


def begin(folder: Path) -> dict[Path, Status]:
    """Wait until each service is as it is to stay, and give that."""
    for name, letters in (("once", "o"), ("over", "o"), ("stopped", ""), ("ignores", ""), ("paused", "")):
        if letters:
            letter(folder / name, letters)
    for name, letters in (("stopped", "d"), ("ignores", "t"), ("paused", "p")):
        until(lambda name=name: numbers(folder / name / "starts") == [str(pid_of(folder / name))], what=f"{name} runs")  # type: ignore[misc]
        letter(folder / name, letters)
    said = {
        **{f"steady{number}": "run" for number in range(STEADY)},
        "forks": "run",
        "ignores": "run, got TERM",
        "paused": "run, paused",
        "once": "run, want down",
        "stopped": "down",
        "over": "down",
        "down": "down",
        **dict.fromkeys(ROTATIONS, "run"),
    }
    for name, text in said.items():
        home = folder / name
        starts = 0 if name == "down" else 1
        until(lambda home=home, text=text: stat(home) == text, what=f"{name}: {text}")  # type: ignore[misc]
        until(lambda home=home, starts=starts: len(numbers(home / "starts")) == starts, what=f"{name} has begun")  # type: ignore[misc]
    return {folder / name: unpack(status(folder / name)) for name in said}


def ended(before: Iterable[Path]) -> dict[str, list[str]]:
    """Give what finish was told of those with a log, which are not to end: 13 is SIGPIPE."""
    return {home.name: told for home in before if (told := numbers(home / "ended"))}


def changes(before: dict[Path, Status]) -> list[str]:
    """Say whose status is not as before: state, what is wanted, pid, and since when."""
    now = {home: unpack(status(home)) for home in before}
    return [f"{home.name}: {now[home]}, not {was}" for home, was in before.items() if now[home] != was]


def victims(running: Tree) -> dict[str, list[int]]:
    found = {pid: supervision.name(pid) for pid in running.processes()}
    # A child of the keeper bears its name until it is a service, as which it is not to be killed.
    services = [pid for pid, name in found.items() if name == ROLES["keeper"] == found.get(supervision.parent(pid))]
    return {role: [pid for pid, name in found.items() if name == ROLES[role] and pid not in services] for role in ROLES}


def outlives(roles: list[str], running: Tree) -> bool:
    """Whether somebody else than these has the FIFO of each log of the pool open: not a stand-in, which may yield just now."""
    found = {**victims(running), "supervisor": [running.pid], "keeper": []}
    fifos = [(running.services / name / "log/supervise/pipe").resolve() for name in POOLED]
    others = [pid for role in found.keys() - roles for pid in found[role]]
    return all(any(has_open(pid, fifo) for pid in others) for fifo in fifos)


def strike(running: Tree, random_: random.Random) -> str:
    """Kill one or two of the four at once; start the next runsvdir when it was killed, as init does, some time later."""
    roles = random_.sample(list(ROLES), random_.choice([1, 1, 2]))
    until(lambda: outlives(roles, running), what=f"another one than {' and '.join(roles)} has each FIFO to the pool open")
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


@draws
@pytest.mark.one_of("storm")
@pytest.mark.parametrize("options", [[], ["-P"]], ids=["plain", "-P"])
def test_a_storm_of_kills_starts_nothing_twice_and_loses_nothing(runtime: Path, tmp_path: Path, options: list[str]) -> None:
    folder = tmp_path / "services"
    world(folder, runtime)
    random_ = random.Random(seed("STORM_SEED"))
    struck: dict[str, int] = {}
    logs = {name: checked(folder / name) for name in ROTATIONS}
    with tree(runtime / "runsvdir", folder, tmp_path / "state", *options) as running:
        running.start()
        before = begin(folder)
        for turn in range(KILLS):
            if random_.random() < 0.5:
                flood_now(folder, random_)
            what = strike(running, random_)
            struck[what] = struck.get(what, 0) + 1
            # When it is struck is the point; nothing waits for this.
            time.sleep(random_.choice([0, 0.002, 0.01, 0.03, 0.1, 0.2]))
            assert changes(before) == [], f"after strike {turn + 1}, {what}; ended: {ended(before)}"
            if turn % 20 == 19:
                for log in logs.values():
                    log.take_old()
        for name in logs:
            (folder / name / "stop").touch()
            until(lambda name=name: numbers(folder / name / "last"), what=f"{name} stops")  # type: ignore[misc]
        counts = {name: [int(number) for number in numbers(folder / name / "last")] for name in logs}
        print(f"{KILLS} strikes {struck}")
        lively = {name: len(numbers(folder / name / "starts")) for name in UNASKED}
        until(lambda: all(len(numbers(folder / name / "starts")) > count for name, count in lively.items()), what="they still start")
        until(lambda: running.supervises(*before) and not victims_lack(running), what="all is supervised")
        assert changes(before) == []
        assert ended(before) == {}, "lost"
        again = {home.name: starts for home in before if len(starts := numbers(home / "starts")) != (home.name != "down")}
        assert again == {}, "started twice, or lost and started again"
        assert [home.name for home in folder.iterdir() if (home / "doubles").exists()] == []
        finished_once_each(folder / "ends")
        assert supervision.is_alive(before[folder / "ignores"].pid)
        for name, log in logs.items():
            until(lambda name=name, log=log: log.ends_with(counts[name][0] - 1), what=f"{name}: the last line is logged")  # type: ignore[misc]
            log.take_all()
            assert log.lines == counts[name][0], name
        print({name: f"{log.lines} lines, {log.files} full files" for name, log in logs.items()})
        print({name: f"{counts[name][1]} bursts, met a full FIFO {counts[name][2]} times" for name in FLOODS})
        assert any(counts[name][2] for name in FLOODS), "who floods has met a full FIFO"
        assert all(log.files for log in logs.values()), "each log was rotated"
        still_obeyed(folder)


def finished_once_each(home: Path) -> None:
    """Each end had its ./finish; the last run, or its ./finish, may be about to begin."""
    letter(home, "d")
    until(lambda: stat(home) == "down", what=f"{home.name} is down")
    starts, finishes = (numbers(home / name) for name in ("starts", "finishes"))
    # A start that is told to end before it has said anything has a ./finish too.
    assert len(finishes) - 1 <= len(starts) <= len(finishes)


def flood_now(folder: Path, random_: random.Random) -> None:
    """Let the services that flood do so as the next strike comes."""
    for name in FLOODS:
        os.kill(pid_of(folder / name), signal.SIGUSR1)
    # When it is struck is the point; nothing waits for this.
    time.sleep(random_.choice([0, 0.001, 0.003, 0.01]))


def victims_lack(running: Tree) -> list[str]:
    return [role for role, pids in victims(running).items() if not pids]


def still_obeyed(folder: Path) -> None:
    """What was told before holds after it: who is to run once is not started again, who is down starts when it is told."""
    once = folder / "once"
    send(once, signal.SIGKILL)
    until(lambda: stat(once) == "down", what="who was to run once is down")
    for name in ("down", "stopped"):
        letter(folder / name, "u")
        until(lambda name=name: stat(folder / name) == "run", what=f"{name} is up")  # type: ignore[misc]
    letter(folder / "paused", "c")
    until(lambda: stat(folder / "paused") == "run", what="it goes on")
    assert len(numbers(once / "starts")) == 1
    assert stat(once) == "down"


@draws
def test_a_log_that_supervisor_pool_and_holder_lose_at_once_goes_on_anew(runtime: Path, tmp_path: Path) -> None:
    """They are killed one at a time here, without regard for who is there: how often a service lost its log, a whole run prints."""
    writer = "echo $$ >>starts\ni=0; while :; do echo $i; i=$((i+1)); [ $((i % 50)) -ne 0 ] || sleep 0.01; done"
    homes = [service(tmp_path / "services" / f"writes{number}", writer, log="exit 1") for number in range(4)]
    for home in homes:
        log_in_pool(home, runtime)
    random_ = random.Random(seed("STORM_SEED"))
    with tree(runtime / "runsvdir", tmp_path / "services", tmp_path / "state") as running:
        running.start()
        until(lambda: all(numbers(home / "starts") for home in homes), what="all have begun")
        for _ in range(LONE_KILLS):
            kill(running, [random_.choice(list(ROLES))], random_.choice([0, 0.01, 0.05]))
            # When it is struck is the point; nothing waits for this.
            time.sleep(random_.choice([0, 0.002, 0.01, 0.03, 0.1, 0.2, 0.4]))
        until(lambda: all(str(pid_of(home)) == numbers(home / "starts")[-1] for home in homes), what="every status is right")
        print(f"{LONE_KILLS} kills, started again: {[len(numbers(home / 'starts')) - 1 for home in homes]}")
        logged = {home: (home / "log/main/current").stat().st_size for home in homes}
        until(lambda: all((home / "log/main/current").stat().st_size > size for home, size in logged.items()), what="all log on")
