"""Process 1 leads a host from stage 1 to power off as C's runit does; each host is a namespace of its own."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from support import oracle, waiting
from support.hosted import Host, booted
from support.programs import run

HALTED, REBOOTED = -signal.SIGINT, -signal.SIGHUP
SERVICES = "trap 'echo going; exit 0' TERM; echo up; while :; do sleep 0.1; done"
Act = Callable[[Host, str], object]


@pytest.fixture(scope="session")
def inits(runtime: Path) -> dict[str, str]:
    """C's runit-init, which becomes runit as process 1, and ours, which is both."""
    oracle.root("a process 1 needs namespaces")
    theirs = Path("/lib/runit/runit-init")
    if not theirs.exists():
        oracle.absent("runit-init is not installed (package runit)")
    return {"C": str(theirs), "ours": str(runtime / "runit-init")}


def order(level: str) -> Act:
    def act(host: Host, init: str) -> None:
        host.wait_for("up\n")
        # It is one of the host's processes itself: a host that goes at once takes it along.
        assert host.inside(init, level).code in {0, -signal.SIGKILL}

    return act


def tell(name: str, awaited: str = "up\n") -> Act:
    def act(host: Host, init: str) -> None:
        host.wait_for(awaited)
        host.inside("kill", f"-{name}", "1")

    return act


def nothing(host: Host, init: str) -> None:
    """Let the host live its life."""


def asks_in_stage_3(host: Host, init: str) -> None:
    host.wait_for("three\n")
    host.inside(init, "0")
    host.wait_for("only work in stage 2")
    host.inside("touch", "/run/go")


STAGES = {"1": "echo one", "2": SERVICES, "3": "echo three"}
RESTARTS = "echo up; [ ! -e /run/again ] || exit 0; touch /run/again; exit 111"
LIVES: dict[str, tuple[dict[str, str], Act, int]] = {
    "halt": (STAGES, order("0"), HALTED),
    "reboot": (STAGES, order("6"), REBOOTED),
    "stage 2 ends": (STAGES | {"2": "echo two"}, nothing, HALTED),
    "stage 2 fails": (STAGES | {"2": "exit 1"}, nothing, HALTED),
    "stage 2 exits 111": (STAGES | {"2": RESTARTS}, nothing, HALTED),
    "stage 2 ignores TERM": (STAGES | {"2": "trap '' TERM; echo up; while :; do sleep 0.1; done"}, order("0"), HALTED),
    "stage 1 fails": (STAGES | {"1": "exit 7"}, order("0"), HALTED),
    "stage 1 exits 100": (STAGES | {"1": "exit 100"}, nothing, HALTED),
    "ctrl-alt-del": (STAGES | {"ctrlaltdel": "echo hands off; chmod 100 /run/runit.stopit"}, tell("INT"), HALTED),
    "ctrl-alt-del reboots": (
        STAGES | {"ctrlaltdel": "chmod 100 /run/runit.stopit /run/runit.reboot"},
        tell("INT"),
        REBOOTED,
    ),
    "a request in stage 3": (
        STAGES | {"2": "exit 0", "3": "echo three; until [ -e /run/go ]; do sleep 0.1; done"},
        asks_in_stage_3,
        HALTED,
    ),
    "no stage 2": ({"1": "echo one", "3": "echo three"}, nothing, HALTED),
    "no stage 3": ({"1": "echo one", "2": SERVICES}, order("0"), HALTED),
    "nosync": (STAGES | {"nosync": ""}, order("0"), HALTED),
}


@pytest.mark.covers("runit-init", "stages 1, 2 and 3", "ctrl-alt-del")
@pytest.mark.covers("runit-init", "0", "6")
@pytest.mark.parametrize("life", LIVES)
def test_a_life_is_the_same(inits: dict[str, str], tmp_path: Path, life: str) -> None:
    scripts, act, end = LIVES[life]
    lived = []
    for name, init in inits.items():
        with booted(init, tmp_path / name, scripts) as host:
            act(host, init)
            lived.append((host.end(), host.console))
    assert lived[1] == lived[0]
    assert lived[1][0] == end


def test_without_leave_cont_is_ignored(inits: dict[str, str], tmp_path: Path) -> None:
    for name, init in inits.items():
        with booted(init, tmp_path / name, STAGES) as host:
            for signal_name in ("CONT", "INT", "TERM", "HUP", "USR1"):
                tell(signal_name)(host, init)
            order("0")(host, init)
            assert host.end() == HALTED
            assert host.console.count("enter stage") == 3


@pytest.mark.covers("runit-init", "orphans")
def test_orphans_are_reaped(inits: dict[str, str], tmp_path: Path) -> None:
    orphans = "for i in 1 2 3 4 5; do (sleep 0.$i &) ; done; echo up; exec sleep 1000"
    for name, init in inits.items():
        with booted(init, tmp_path / name, STAGES | {"2": orphans}) as host:
            host.wait_for("up\n")
            children = Path(f"/proc/{host.pid}/task/{host.pid}/children")
            waiting.until(lambda children=children: len(children.read_text().split()) == 1, what="only stage 2 left")  # type: ignore[misc]


def test_a_stage_starts_with_signals_as_any_program(inits: dict[str, str], tmp_path: Path) -> None:
    masks = "grep -E 'Sig(Blk|Ign)' /proc/self/status"
    with booted(inits["ours"], tmp_path, {"1": masks, "2": masks, "3": masks}) as host:
        assert host.end() == HALTED
        assert [line.split()[1] for line in host.console.splitlines() if line.startswith("Sig")] == ["0" * 16] * 6


@pytest.mark.parametrize("stage", ["1", "2"])
def test_a_stage_that_a_signal_ends_has_crashed(inits: dict[str, str], tmp_path: Path, stage: str) -> None:
    crash = "[ ! -e /run/again ] || exit 0; touch /run/again; kill -9 $$"
    with booted(inits["ours"], tmp_path, STAGES | {"2": "echo up"} | {stage: crash}) as host:
        assert host.end() == HALTED
        entered = [line for line in host.console.splitlines() if "enter" in line or "crashed" in line or "skip" in line]
        crashed = f"- runit: warning: child crashed: /etc/runit/{stage}"
        enter = [f"- runit: enter stage: /etc/runit/{number}" for number in (1, 2, 3)]
        skip = "- runit: warning: skipping stage 2..."
        expected = [enter[0], crashed, skip, enter[2]] if stage == "1" else [enter[0], enter[1], crashed, enter[1], enter[2]]
        assert entered == expected


@pytest.mark.covers("runit-init", "an emergency shell without stage 1")
def test_without_stage_1_somebody_is_let_in_to_mend_it(inits: dict[str, str], tmp_path: Path) -> None:
    sulogin = tmp_path / "sulogin"
    sulogin.write_text("#!/bin/sh\necho password?\nread word\necho mended with $word\n")
    sulogin.chmod(0o755)
    with booted(inits["ours"], tmp_path / "etc", {"2": "echo two", "3": "echo three"}, sulogin=sulogin) as host:
        host.wait_for("password?\n")
        host.type("tools\n")
        assert host.end() == HALTED
        assert "unable to start child: /etc/runit/1: file does not exist\n" in host.console
        assert host.console.index("mended with tools\n") < host.console.index("two\n") < host.console.index("three\n")


def test_a_container_that_may_not_reboot_ends(inits: dict[str, str], tmp_path: Path) -> None:
    init = tmp_path / "init"
    init.write_text(f"#!/bin/sh\nexec setpriv --bounding-set=-sys_boot --inh-caps=-sys_boot {inits['ours']}\n")
    init.chmod(0o755)
    with booted(init, tmp_path / "etc", STAGES | {"2": "echo two"}) as host:
        assert host.end() == 0
        assert host.console.endswith("- runit: power off...\n")


@pytest.mark.parametrize("words", [[], [""], ["5"], ["-x"], ["halt"]], ids=repr)
def test_other_words_get_the_usage(inits: dict[str, str], words: list[str]) -> None:
    said = [run(init, words) for init in inits.values()]
    theirs = said[0]._replace(err=said[0].err.replace(inits["C"].encode(), b"runit-init"))
    assert said[1] == theirs
