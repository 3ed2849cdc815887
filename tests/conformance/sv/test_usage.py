"""sv's words: which it takes, which it refuses, and what it then writes to the supervisor."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.programs import Said, run
from support.supervised import FakeSupervisor

from runit_provision.runtime.wire import status as wire

Both = tuple[Path, Path]
COMMANDS = ["up", "down", "once", "pause", "cont", "hup", "alarm", "interrupt", "quit", "1", "2", "term", "kill", "exit", "status"]
COMMANDS += ["start", "stop", "reload", "restart", "shutdown", "force-stop", "force-reload", "force-restart", "force-shutdown"]
COMMANDS += ["try-restart"]
WORDS = [*COMMANDS, "uptime", "Down", "Exit", "Term", "X", "D", "T", "E"]
DOWN_WANT_UP, RUN_WANT_DOWN = (
    wire.pack(wire.Status(since_ns=0, pid=pid, state=state, want=want, got_term=bool(pid)))
    for pid, state, want in ((0, wire.DOWN, wire.WANT_UP), (7, wire.RUN, wire.WANT_DOWN))
)
RUN = wire.pack(wire.Status(since_ns=0, pid=7, state=wire.RUN, want=wire.WANT_UP))
DOWN = wire.pack(wire.Status(since_ns=0, pid=0, state=wire.DOWN, want=wire.WANT_DOWN))
ONCE = wire.pack(wire.Status(since_ns=0, pid=7, state=wire.RUN, want=wire.WANT_DOWN))


def without_seconds(said: Said) -> Said:
    words = [b"Ns" if word.rstrip(b",;\n").removesuffix(b"s").isdigit() else word for word in said.out.split(b" ")]
    return said._replace(out=b" ".join(words))


def command(sv: Path, words: list[str], supervisor: FakeSupervisor, directory: Path) -> tuple[Said, bytes]:
    said = run(sv, words, env={"SVDIR": str(directory), "SVWAIT": "0"})
    try:
        return without_seconds(said), supervisor.received()
    except BlockingIOError:
        return without_seconds(said), b""


def all_commands(sv: Path, commands: list[list[str]], status: bytes | None, directory: Path) -> dict[str, tuple[Said, bytes]]:
    """Give what `sv` says and writes for each of `commands`, each to a supervisor of its own, all at once since most wait a tick."""

    def one(number: int, words: list[str]) -> tuple[Said, bytes]:
        supervisor = FakeSupervisor(directory / str(number) / "a", status)
        try:
            return command(sv, words, supervisor, directory / str(number))
        finally:
            supervisor.stop()

    with ThreadPoolExecutor(8) as pool:
        return dict(zip(map(" ".join, commands), pool.map(one, range(len(commands)), commands), strict=True))


@pytest.mark.covers("sv", "-v", *COMMANDS)
@pytest.mark.parametrize("status", [RUN, DOWN, ONCE, DOWN_WANT_UP, RUN_WANT_DOWN], ids=["run", "down", "once", "want up", "got TERM"])
def test_every_word_writes_and_says_the_same(both: Both, tmp_path: Path, status: bytes) -> None:
    words = [[word, "a"] for word in WORDS]
    words += [["-v", *each] for each in words]
    oracle, ours = (all_commands(sv, words, status, tmp_path / name) for name, sv in zip(("C", "ours"), both, strict=True))
    assert ours == oracle


@pytest.mark.parametrize("word", ["up", "exit", "shutdown", "force-shutdown", "check", "hup"])
def test_a_supervisor_that_has_gone(both: Both, tmp_path: Path, word: str) -> None:
    FakeSupervisor(tmp_path / "a", RUN).stop()
    said = [run(sv, [word, "a"], env={"SVDIR": str(tmp_path), "SVWAIT": "0"}) for sv in both]
    assert said[0] == said[1]


@pytest.mark.parametrize("word", ["up", "hup", "exit"])
def test_a_supervisor_that_goes_before_the_letter_comes(both: Both, tmp_path: Path, word: str) -> None:
    supervisor = FakeSupervisor(tmp_path / "a", DOWN)
    supervisor.stop("control")
    said = [run(sv, [word, "a"], env={"SVDIR": str(tmp_path)}) for sv in both]
    assert said[0] == said[1]
    supervisor.stop()


def test_a_control_that_is_a_file_is_not_written_to(both: Both, tmp_path: Path) -> None:
    supervisor = FakeSupervisor(tmp_path / "a", DOWN)
    supervisor.stop("control")
    control = tmp_path / "a/supervise/control"
    control.unlink()
    control.write_bytes(b"precious")
    said = run(both[1], ["up", "a"], env={"SVDIR": str(tmp_path)})
    assert said == Said(1, b"warning: a: unable to write to supervise/control: not a fifo\n", b"")
    assert control.read_bytes() == b"precious"
    supervisor.stop()


def test_more_services_than_descriptors_are_waited_for(runtime: Path, tmp_path: Path) -> None:
    made = [FakeSupervisor(tmp_path / f"s{number}", RUN) for number in range(40)]
    names = [path.name for path in sorted(tmp_path.iterdir())]
    script = f"ulimit -n 24; exec {runtime}/sv -w 0 down {' '.join(names)}"
    said = run("/bin/sh", ["-c", script], env={"SVDIR": str(tmp_path)})
    lines = said.out.splitlines()
    assert (said.code, said.err) == (40, b"")
    assert [line.split(b":")[:3] for line in lines] == [[b"timeout", b" run", b" " + name.encode()] for name in names]
    for each in made:
        each.stop()


USAGE = [
    [],
    ["-z"],
    ["-vz"],
    ["-w"],
    ["-w7"],
    ["-"],
    ["--"],
    [""],
    ["up"],
    ["-v", "up"],
    ["nonsense", "a"],
    ["restart-me", "a"],
    ["force", "a"],
    ["Up", "a"],
    ["-w", "x", "nonsense", "a"],
    ["-v", "--", "-v", "a"],
]


@pytest.mark.covers("sv", "exit 100")
@pytest.mark.parametrize("words", USAGE, ids=repr)
def test_wrong_words_get_the_usage(both: Both, words: list[str]) -> None:
    said = [run(sv, words) for sv in both]
    assert said[0] == said[1]
    assert said[1].code == 100


@pytest.mark.covers("sv", "exit 2")
@pytest.mark.parametrize("words", [[], ["-z"], ["stat"], ["nonsense"], ["restarted"], ["-w"]], ids=repr)
def test_wrong_words_to_an_init_script_get_its_usage(both: Both, tmp_path: Path, words: list[str]) -> None:
    said = []
    for number, sv in enumerate(both):
        script = tmp_path / str(number) / "a"
        script.parent.mkdir()
        script.symlink_to(sv)
        said.append(run(script, words))
    assert said[0] == said[1]
    assert said[1].code == 2


@pytest.mark.covers("sv", "as an init script")
@pytest.mark.covers("sv", "exit 1", "exit 3", "exit 4")
@pytest.mark.parametrize("status", [RUN, DOWN, b"abc", None], ids=["run", "down", "short", "missing"])
def test_an_init_script_ends_with_the_same_code(both: Both, tmp_path: Path, status: bytes | None) -> None:
    words = [[word, "ignored"] for word in ("status", "start", "stop", "reload", "restart", "force-stop", "up", "try-restart")]
    said = []
    for name, sv in zip(("C", "ours"), both, strict=True):
        script = tmp_path / name / "a"
        script.parent.mkdir()
        script.symlink_to(sv)
        said.append(all_commands(script, words, status, tmp_path / name / "services"))
    assert said[0] == said[1]
