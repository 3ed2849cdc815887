"""`runit-provision demo`: one command, the whole road, nothing left."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from support import leftovers, oracle, waiting
from support.command import PROGRAM, Result, runit_provision

CHAPTERS = (
    "A host below one directory",
    "From data to files",
    "The plan, and doing it",
    "Supervised by the shipped runtime",
    "Logs",
    "A service dies",
    "The supervisor dies",
    "One value changes",
    "The end",
)


@pytest.fixture
def place() -> Iterator[Path]:
    """A TMPDIR of its own; short, since a socket's path is."""
    place = Path("/tmp") / f"rp-{os.getpid()}-{os.urandom(3).hex()}"
    place.mkdir(mode=0o755)
    yield place
    for pid in leftovers.processes(str(place)):
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    place = tmp_path_factory.mktemp("demo")
    return runit_provision("demo", env={"TMPDIR": str(place)}), place


@pytest.mark.shows("recipes", "heartbeat", "seen")
def test_the_story_is_told_to_its_end(told: tuple[Result, Path]) -> None:
    result, _ = told
    assert (result.status, result.err) == (0, "")
    assert re.findall(r"^\d+\. (.*)$", result.out, re.MULTILINE) == list(CHAPTERS)


def test_it_shows_the_plan_before_it_is_done(told: tuple[Result, Path]) -> None:
    out = told[0].out
    assert re.search(r"^    \+ home/apprun1/service +new: runit\.home ", out, re.MULTILINE)
    assert re.search(r"^    ! apprun1/ticker +start: new$", out, re.MULTILINE)
    assert re.search(r"^    \d+ files to create, .* services to start, 0 unchanged$", out, re.MULTILINE)


def test_it_shows_every_kind_of_service(told: tuple[Result, Path]) -> None:
    rows = {
        row[0]: row[1] for row in re.findall(r"^    ([\w/-]+) +(up|down|finish) +[\d-]+ +\d+ s +up *(.*)$", told[0].out, re.MULTILINE)
    }
    assert rows.keys() >= {"heartbeat", "runsvdir-apprun1", "runsvdir-apprun2", "apprun1/flaky", "apprun1/cluster/front"}
    assert (rows["apprun1/ticker"], rows["apprun1/vpn"], rows["apprun1/prepare"]) == ("up", "down", "down")


def test_it_shows_timestamped_log_lines(told: tuple[Result, Path]) -> None:
    assert re.search(r"^    \d{4}-\d\d-\d\d_\d\d:\d\d:\d\d\.\d{5} ticker good day", told[0].out, re.MULTILINE)


def test_a_killed_service_is_back_with_another_pid(told: tuple[Result, Path]) -> None:
    old, new = re.search(r"apprun1/ticker is back .*: its pid was (\d+) and is (\d+)\.", told[0].out).groups()  # type: ignore[union-attr]
    assert old != new


def test_a_killed_supervisor_costs_no_service_its_pid(told: tuple[Result, Path]) -> None:
    assert re.search(r"^  runsvdir was killed, .* All [7-9] services run on with their pids\.$", told[0].out, re.MULTILINE)


def test_a_changed_value_keeps_comments_and_restarts_that_service_alone(told: tuple[Result, Path]) -> None:
    out = told[0].out
    change = re.findall(r"^    ([-+] .*)$", out.partition("8. One value changes")[2].partition("plan")[0], re.MULTILINE)
    assert change == ["-            GREETING: good day", "+            GREETING: good evening"]
    assert "             PAUSE: 1                     # seconds" in out
    assert re.search(r"^    ! apprun1/ticker +restart: env/GREETING changed$", out, re.MULTILINE)
    assert "1 file to replace, 1 service to restart, " in out
    assert re.search(r"^  Only apprun1/ticker was restarted: its pid was \d+ and is \d+\.$", out, re.MULTILINE)
    kept = re.search(r"^  The other \d+ services kept theirs: (.*)\.$", out, re.MULTILINE)
    assert kept and {"heartbeat", "apprun1/cluster/back", "runsvdir-apprun1"} <= {*kept[1].split(", ")}
    assert "ticker good evening" in out


def test_nothing_is_left(told: tuple[Result, Path]) -> None:
    result, place = told
    assert "runsvdir ended all services in order and exited with 111." in result.out
    assert (list(place.iterdir()), leftovers.processes(str(place))) == ([], {})


def test_on_a_terminal_it_has_colours(place: Path) -> None:
    ours, theirs = pty.openpty()
    demo = subprocess.Popen([PROGRAM, "demo"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment(place))
    os.close(theirs)
    shown = b""
    while chunk := _read(ours):
        shown += chunk
    os.close(ours)
    assert demo.wait(waiting.DEADLINE) == 0
    assert b"\x1b[32mup" in shown
    assert list(place.iterdir()) == []


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STRUCK = [
    (chapter, number)
    for at, chapter in enumerate(CHAPTERS[:-1])
    for number in (SIGNALS if os.environ.get("HARNESS") == "all" else SIGNALS[at % 3 : at % 3 + 1])
]
"""Each chapter by one signal, by each with HARNESS=all."""


@pytest.mark.parametrize(("chapter", "number"), STRUCK, ids=lambda each: getattr(each, "name", each))
def test_a_signal_in_any_chapter_leaves_nothing(place: Path, chapter: str, number: signal.Signals) -> None:
    demo = start(place)
    assert demo.stdout
    while chapter.encode() not in (line := demo.stdout.readline()):
        assert line, "the demo ended before that chapter"
    demo.send_signal(number)
    _, complaint = demo.communicate(timeout=waiting.DEADLINE)
    assert (demo.returncode, complaint) == (-number, b"")
    assert (list(place.iterdir()), leftovers.processes(str(place))) == ([], {})


def test_signals_while_it_cleans_up_leave_nothing(place: Path) -> None:
    demo = start(place)
    assert demo.stdout
    while b"A service dies" not in demo.stdout.readline():
        assert demo.poll() is None
    for _ in range(20):
        demo.send_signal(signal.SIGINT)
    while b"Cleaning up" not in demo.stdout.readline():
        assert demo.poll() is None
    demo.send_signal(signal.SIGTERM)
    _, complaint = demo.communicate(timeout=waiting.DEADLINE)
    assert (demo.returncode, complaint) == (-signal.SIGINT, b"")
    assert (list(place.iterdir()), leftovers.processes(str(place))) == ([], {})


def test_a_reader_that_goes_away_changes_nothing(place: Path) -> None:
    demo = start(place)
    assert demo.stdout and demo.stderr
    demo.stdout.readline()
    demo.stdout.close()
    assert (demo.stderr.read(), demo.wait(timeout=waiting.DEADLINE)) == (b"", 0)
    demo.stderr.close()
    assert (list(place.iterdir()), leftovers.processes(str(place))) == ([], {})


def test_a_terminal_that_is_closed_leaves_nothing(place: Path) -> None:
    pid, terminal = pty.fork()
    if not pid:
        os.execve(PROGRAM, [PROGRAM, "demo"], environment(place))
    shown = b""
    while b"A service dies" not in shown:
        chunk = _read(terminal)
        assert chunk, shown
        shown += chunk
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGHUP
    assert (list(place.iterdir()), leftovers.processes(str(place))) == ([], {})


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_cannot_be_written_leaves_nothing(place: Path, unbuffered: str) -> None:
    with Path("/dev/full").open("wb") as full:
        demo = subprocess.run(
            [PROGRAM, "demo"],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**environment(place), "PYTHONUNBUFFERED": unbuffered},
            timeout=waiting.DEADLINE,
            check=False,
        )
    assert demo.returncode == 1
    assert b"Traceback" not in demo.stderr
    assert (list(place.iterdir()), leftovers.processes(str(place))) == ([], {})


def test_keep_leaves_all_running_and_says_how_to_look_around_and_to_end_it(place: Path) -> None:
    place = place / "to be 'quoted'"
    place.mkdir()
    result = runit_provision("demo", "--keep", env={"TMPDIR": str(place)})
    assert (result.status, result.err) == (0, "")
    commands = re.findall(r"^  \$ (.*)$", result.out.partition("Kept, and still running")[2], re.MULTILINE)
    looks = [line for line in commands if not line.startswith(("tail", "${EDITOR", "kill"))]
    looked = subprocess.run(
        ["sh", "-ec", "\n".join(looks)], capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]}
    )
    assert "run: ./home/apprun1/service/ticker:" in looked.stdout
    end = next(line for line in commands if line.startswith("kill"))
    assert subprocess.run(["sh", "-ec", end], check=False).returncode == 0
    waiting.until(lambda: not leftovers.processes(str(place)), what="nothing runs any more")
    assert list(place.iterdir()) == []


def test_an_ordinary_user_can_do_it_too(place: Path) -> None:
    oracle.root("becomes another user")
    place.chmod(0o1777)
    library = place / "packages"  # wherever the tests' own are, others may not be let in there
    shutil.copytree(Path(click.__file__).parents[1], library, ignore=shutil.ignore_patterns("pip", "mypy*", "pytest*", "__pycache__"))
    program = ["/usr/bin/python3", "-m", "runit_provision.cli", "demo"]
    demo = subprocess.run(
        program,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(library), "TMPDIR": str(place), "HOME": "/nonexistent"},
        user="nobody",
        group="nogroup",
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=waiting.DEADLINE,
        check=False,
    )
    assert (demo.returncode, demo.stderr) == (0, "")
    assert "in the hands of nobody" in demo.stdout
    assert leftovers.processes(str(place)) == {}
    assert [path.name for path in place.iterdir()] == ["packages"]


def start(place: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([PROGRAM, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(place))


def environment(place: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(place)}


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # EIO: the other end is closed
        return b""
