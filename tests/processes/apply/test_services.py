"""Plans carried out beneath a runsvdir that runs: what is started, restarted, signalled, taken down, and what is not."""

from __future__ import annotations

import errno
import fcntl
import itertools
import json
import os
import pwd
import signal
import subprocess
import tempfile
import termios
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
from support import apart, oracle, waiting
from support.command import Result, runit_provision
from support.faults import UNTOUCHED, interrupted
from support.places import Place
from support.trees import Unit, grow

from runit_provision.apply import Report, calls
from runit_provision.errors import HostError
from runit_provision.host import processes
from runit_provision.model.plan import Verb
from runit_provision.model.tree import Effect, Ensure, OnChange, RenderedTree
from runit_provision.runtime.wire import status

ALL = os.environ.get("HARNESS") == "all"


def script(text: str = "") -> bytes:
    """A run script that tells each of its starts, and each HUP, in the file `told` of its directory."""
    return f"""#!/bin/sh
# {text}
trap 'echo hup >>told' HUP
trap 'kill $!; exit' TERM
echo start >>told
while :; do sleep 1000 & wait $!; done
""".encode()


class Running(Place):
    """A place whose `service` directory a runsvdir looks after."""

    def told(self, name: str) -> list[str]:
        path = self.base / "sv" / name / "told"
        return path.read_text().split() if path.exists() else []

    def pid(self, name: str) -> int:
        try:
            return int((self.base / "sv" / name / "supervise/pid").read_text() or 0)
        except OSError:
            return 0

    def is_down(self, name: str) -> bool:
        """Whether it neither runs nor is to: C's runsv renames `pid` into place before `status`, which is what apply reads."""
        seen = status.unpack((self.base / "sv" / name / "supervise/status").read_bytes())
        return not seen.pid and seen.want != status.WANT_UP


@contextmanager
def beneath(runsvdir: Path, folder: Path) -> Iterator[Running]:
    """A place in `folder` with a runsvdir of its own."""
    base = folder / "base"
    (base / "service").mkdir(parents=True)
    path = f"{runsvdir.parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "RUNIT_PROVISION_STATE": str(folder / "state")}
    supervisor = subprocess.Popen([runsvdir, "-P", str(base / "service")], env=environment)
    try:
        yield Running(base)
    finally:
        pids = [int(path.read_text() or 0) for path in base.glob("sv/*/supervise/pid")]
        supervisor.send_signal(signal.SIGHUP)
        supervisor.wait(60)
        for pid in filter(None, pids):
            waiting.until(lambda pid=pid: not Path(f"/proc/{pid}").exists(), what=f"the end of {pid}")  # type: ignore[misc]
        for fifo in base.glob("sv/*/supervise/ok"):  # C's runsv goes on for a moment, and writes, when its service is down
            waiting.until(lambda fifo=fifo: not _is_read(fifo), what=f"the end of the one who reads {fifo}")  # type: ignore[misc]


@pytest.fixture(params=["C runit", "the shipped runtime"])
def runsvdir(request: pytest.FixtureRequest, runtime: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(calls, "SETTLE", 0.0)
    return Path(oracle.program("runsvdir", package="runit")) if request.param == "C runit" else runtime / "runsvdir"


@pytest.fixture
def running(runsvdir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("RUNIT_PROVISION_STATE", f"{folder}/state")
        with beneath(runsvdir, Path(folder)) as place:
            yield place


@pytest.fixture
def several(runsvdir: Path) -> Iterator[list[Running]]:
    """Places for what mostly waits: side by side it takes a fraction of the time."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        yield [stack.enter_context(beneath(runsvdir, Path(folder, str(number)))) for number in range(4)]


def _is_read(fifo: Path) -> bool:
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def test_a_new_service_is_up_when_apply_returns(running: Running) -> None:
    report = running.apply(grow(running.base, [Unit("a", run=script())]))
    assert report.ok, report.problems
    assert [call.verb for call in report.calls] == [Verb.START]
    assert running.pid("a")


def test_only_the_service_whose_run_changed_is_restarted(running: Running) -> None:
    files = {"finish": (b"#!/bin/sh\n", Effect.NOTHING)}
    running.apply(grow(running.base, [Unit("a", run=script()), Unit("b", run=script(), files=files)]))
    pids = running.pid("a"), running.pid("b")
    files = {"finish": (b"#!/bin/sh\n:\n", Effect.NOTHING)}
    report = running.apply(grow(running.base, [Unit("a", run=script("new")), Unit("b", run=script(), files=files)]))
    assert report.ok, report.problems
    assert [(call.service.id, call.verb, call.reason) for call in report.calls] == [("a", Verb.RESTART, "run changed")]
    assert running.pid("a") not in (0, pids[0])
    assert running.pid("b") == pids[1]


def test_a_log_that_comes_or_goes_is_there_or_gone_when_apply_returns(running: Running) -> None:
    """A runsv(8) that runs looks for no log, and goes on to start one that is gone: nobody would read what the service writes."""
    run, log = b"#!/bin/sh\necho begun\nexec sleep 1000\n", b"#!/bin/sh\nexec cat >>../lines\n"
    lines = running.base / "sv/a/lines"
    other = Unit("b", run=script())
    running.apply(grow(running.base, [Unit("a", run=run), other]))
    steady = running.pid("b")
    assert running.apply(grow(running.base, [Unit("a", run=run, log=log), other])).ok
    waiting.until(lambda: lines.exists() and lines.read_text() == "begun\n", what="the first line")
    gone = running.apply(grow(running.base, [Unit("a", run=run), other]))
    assert gone.ok, gone.problems
    assert [(call.service.id, call.verb) for call in gone.calls] == [("a", Verb.RENEW)]
    assert not (running.base / "sv/a/log").exists()
    assert lines.read_text() == "begun\n"
    assert running.rollback().ok
    waiting.until(lambda: lines.read_text() == "begun\nbegun\n", what="a line more")
    assert running.pid("b") == steady


def test_what_cannot_be_told_is_reported_and_done_by_the_next_apply(running: Running) -> None:
    """A supervisor that is stopped reads no letters; once its fifo is full, none can be sent."""
    one, two = (grow(running.base, [Unit("a", run=script(text)), Unit("b", run=script())]) for text in ("one", "two"))
    assert running.apply(one).ok
    waiting.until(lambda: running.told("a"))
    control = running.base / "sv/a/supervise/control"
    readers = [pid for pid in _readers(control) if pid != os.getpid()]
    for pid in readers:
        os.kill(pid, signal.SIGSTOP)
    full = os.open(control, os.O_WRONLY | os.O_NONBLOCK)
    try:
        with suppress(BlockingIOError):
            while True:
                os.write(full, b"." * 4096)
        with suppress(BlockingIOError):
            while True:
                os.write(full, b".")
        report = running.apply(two)
        hint = "its supervisor reads no more letters: is it stopped?"
        assert [str(problem) for problem in report.problems] == [f"{control}: Resource temporarily unavailable; {hint}"]
        assert report.failed.keys() == {"a"}
        gone = running.apply(grow(running.base, [Unit("b", run=script())]))
        assert not gone.ok
        assert (running.base / "sv/a/run").read_bytes() == script("two"), "what runs keeps its directory"
    finally:
        for pid in readers:
            os.kill(pid, signal.SIGCONT)
        waiting.until(lambda: not any(fcntl.ioctl(full, termios.FIONREAD, bytes(4))), what="the supervisor reads letters again")
        os.close(full)
    (running.base / "sv/a/told").write_text("")
    assert running.apply(two).ok
    waiting.until(lambda: running.told("a") == ["start"], what="the restart that was owed")


def _readers(fifo: Path) -> list[int]:
    """The processes that hold a fifo open."""
    found = []
    for folder in Path("/proc").glob("[0-9]*/fd"):
        with suppress(OSError):
            if any(entry.readlink() == fifo for entry in folder.iterdir()):
                found.append(int(folder.parent.name))
    return found


def test_where_no_runsvdir_would_start_a_supervisor_again_none_is_ended(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    running.apply(grow(running.base, [Unit("a", run=script())]))
    pid = running.pid("a")
    monkeypatch.setattr(processes, "is_runsvdir", lambda _: False)
    report = running.apply(grow(running.base, [Unit("a", run=script(), log=b"#!/bin/sh\nexec cat\n")]))
    assert (report.ok, report.calls) == (True, [])
    assert report.notes == [f"no runsvdir looks after {running.base}/service yet: what is there starts when one does"]
    assert running.pid("a") == pid


@pytest.mark.shows("data", "service", "on_change")
@pytest.mark.parametrize(("on_change", "told"), [(OnChange.HUP, ["start", "hup"]), (OnChange.WAIT, ["start"])])
def test_on_change_says_what_a_running_service_gets(running: Running, on_change: OnChange, told: list[str]) -> None:
    running.apply(grow(running.base, [Unit("a", run=script(), on_change=on_change)]))
    waiting.until(lambda: running.told("a") == ["start"])
    report = running.apply(grow(running.base, [Unit("a", run=script("new"), on_change=on_change)]))
    assert report.ok
    waiting.until(lambda: running.told("a") == told, what=f"{told}")


@pytest.mark.parametrize("on_change", [OnChange.HUP, OnChange.TERM])
def test_what_ends_at_its_signal_is_up_again_when_apply_returns(
    running: Running, on_change: OnChange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "SETTLE", 1.0)
    running.apply(grow(running.base, [Unit("a", on_change=on_change)]))
    before = running.pid("a")
    report = running.apply(grow(running.base, [Unit("a", run=b"#!/bin/sh\nexec sleep 2000\n", on_change=on_change)]))
    assert (report.problems, report.notes) == ([], [])
    assert running.pid("a") not in (0, before)


def test_what_rests_after_it_ended_too_soon_is_up_when_apply_returns(running: Running) -> None:
    running.apply(grow(running.base, [Unit("a", run=b"#!/bin/sh\nexit 1\n")]))
    waiting.until(lambda: running.pid("a") == 0)
    report = running.apply(grow(running.base, [Unit("a", run=script())]))
    assert report.problems == []
    assert running.pid("a")


def test_what_takes_its_time_after_term_is_told_and_is_no_failure(running: Running) -> None:
    def slow(text: str) -> Unit:
        return Unit("slow", run=STUBBORN + text.encode(), on_change=OnChange.TERM)

    running.apply(grow(running.base, [slow("")]))
    waiting.until((running.base / "sv/slow/last_finish").exists)
    report = running.apply(grow(running.base, [slow("# new\n")]), timeout=1)
    with (running.base / "sv/slow/supervise/control").open("wb") as control:
        control.write(b"dk")  # for good: the next run would not heed the end of the tree either
    said = "slow goes on 1 s after TERM: what is new runs once it has ended"
    assert (report.problems, report.notes) == ([], [said])


def test_a_service_that_goes_is_down_before_its_directory_goes(running: Running) -> None:
    running.apply(grow(running.base, [Unit("a", run=script()), Unit("b", run=script(), log=b"#!/bin/sh\nexec cat\n")]))
    pid = running.pid("b")
    waiting.until(lambda: running.told("b"))
    (running.base / "sv/b/told").unlink()
    report = running.apply(grow(running.base, [Unit("a", run=script())]))
    assert report.ok, report.problems
    assert not Path(f"/proc/{pid}").exists()
    assert not (running.base / "sv/b").exists(), report.notes
    assert running.plan(grow(running.base, [Unit("a", run=script())])).empty


def test_a_service_that_is_to_be_stopped_is_stopped_and_started_again(running: Running) -> None:
    up, down = Unit("a", run=script()), Unit("a", run=script(), ensure=Ensure.STOPPED, enabled=False)
    running.apply(grow(running.base, [up]))
    pid = running.pid("a")
    assert running.apply(grow(running.base, [down])).ok
    assert not Path(f"/proc/{pid}").exists()
    assert running.plan(grow(running.base, [down])).empty
    assert running.apply(grow(running.base, [up])).ok
    assert running.pid("a")


def test_rollback_restores_what_ran(running: Running) -> None:
    running.apply(grow(running.base, [Unit("a", run=script()), Unit("b", run=script())]))
    running.apply(grow(running.base, [Unit("a", run=script("new")), Unit("c", run=script())]))
    pids = running.pid("a"), running.pid("c")
    report = running.rollback()
    assert report.ok, report.problems
    assert running.pid("a") not in (0, pids[0])
    assert running.pid("b")
    assert not Path(f"/proc/{pids[1]}").exists()


def test_rollback_starts_what_an_apply_had_stopped_and_stops_what_it_had_started(running: Running) -> None:
    up, down = (Unit("a", run=script(), ensure=ensure, enabled=ensure is Ensure.RUNNING) for ensure in (Ensure.RUNNING, Ensure.STOPPED))
    running.apply(grow(running.base, [up]))
    running.apply(grow(running.base, [down]))
    assert running.pid("a") == 0
    assert running.rollback().ok
    assert running.pid("a")
    assert running.apply(grow(running.base, [down])).ok
    assert running.apply(grow(running.base, [up])).ok
    assert running.pid("a")
    assert running.rollback().ok
    assert running.pid("a") == 0
    assert (running.base / "sv/a/down").exists()


def test_a_service_that_does_not_come_up_is_reported_and_the_rest_is_done(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "SETTLE", 0.5)
    broken = Unit("broken", run=b"#!/bin/sh\nexit 1\n")
    report = running.apply(grow(running.base, [broken, Unit("b", run=script())]), timeout=8)
    assert [str(problem).split("; ")[0] for problem in report.problems] in (
        [f"data.yaml:3:1: runit.services: {running.base}/sv/broken: broken: came up, but ended again at once"],
        [f"data.yaml:3:1: runit.services: {running.base}/sv/broken: broken: did not come up within 8 s"],
    )
    assert running.pid("b")


STUBBORN = b"#!/bin/sh\ntrap '' TERM\necho start >last_finish\nwhile :; do sleep 0.2; done\n"
"""It tells of its start in a file that goes with the service."""


def lines(report: Report) -> list[str]:
    return [str(problem) for problem in report.problems]


def stubborn(running: Running, *others: Unit, **more: object) -> RenderedTree:
    tree = grow(running.base, [Unit("stubborn", run=STUBBORN, **more), *others])  # type: ignore[arg-type]
    assert running.apply(tree).ok
    waiting.until((running.base / "sv/stubborn/last_finish").exists)
    return tree


def test_a_service_that_will_not_stop_is_reported_and_keeps_its_link_and_directory(running: Running) -> None:
    stubborn(running, Unit("a"), stop_seconds=1)
    pid = running.pid("stubborn")
    report = running.apply(grow(running.base, [Unit("b", run=script())]))
    stays = (
        running.pid("stubborn") == pid,
        (running.base / "sv/stubborn/run").exists(),
        (running.base / "service/stubborn").is_symlink(),
    )
    os.kill(pid, signal.SIGKILL)
    where = f"runit.services: {running.base}/sv/stubborn: stubborn"
    hint = "let the data say `ensure: absent` and `stop: {kill: true}` of it, or end it by hand: `sv kill"
    assert lines(report) == [f"{where}: did not go down within 1 s, and stays; {hint} {running.base}/service/stubborn`"]
    assert stays == (True, True, True)
    assert not (running.base / "sv/a").exists()
    assert running.pid("b")
    assert running.apply(grow(running.base, [Unit("b", run=script())])).ok
    assert not (running.base / "sv/stubborn").exists()


def test_a_service_that_will_not_stop_is_waited_for_aloud_and_wanted_up_again_after_a_rollback(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "TICK", 0.4)
    stubborn(running, stop_seconds=1)
    pid = running.pid("stubborn")
    told: list[str] = []
    assert not running.apply(grow(running.base, [Unit("b")]), progress=lambda _, __, what: told.append(what)).ok
    assert [what for what in told if what.startswith("waits for stubborn")] == [
        "waits for stubborn, 1 s at most",
        "waits for stubborn, 0 s at most",
    ]
    assert running.rollback().ok
    seen = status.unpack((running.base / "sv/stubborn/supervise/status").read_bytes())
    assert (seen.pid, seen.want) == (pid, status.WANT_UP)
    (running.base / "sv/stubborn/supervise/control").write_bytes(b"dk")
    waiting.until(lambda: running.is_down("stubborn"))


def test_a_service_that_will_not_stop_is_killed_when_the_data_says_so(running: Running) -> None:
    stubborn(running, stop_seconds=1, kill=True)
    pid = running.pid("stubborn")
    report = running.apply(grow(running.base, []))
    assert (lines(report), report.notes) == ([], ["stubborn did not end within 1 s, and was killed"])
    assert not Path(f"/proc/{pid}").exists()
    assert not (running.base / "sv/stubborn").exists()


def test_a_service_that_will_not_end_for_a_restart_is_killed_when_the_data_says_so(running: Running) -> None:
    stubborn(running, stop_seconds=1, kill=True)
    pid = running.pid("stubborn")
    report = running.apply(grow(running.base, [Unit("stubborn", run=script("new"), stop_seconds=1, kill=True)]))
    assert (lines(report), report.notes) == ([], ["stubborn did not end within 1 s, and was killed"])
    assert running.pid("stubborn") not in (0, pid)


def test_a_change_of_mode_alone_restarts_nothing(running: Running) -> None:
    running.apply(grow(running.base, [Unit("a", run=script())]))
    pid = running.pid("a")
    report = running.apply(grow(running.base, [Unit("a", run=script(), mode=0o700)]))
    assert (report.ok, report.calls, running.pid("a")) == (True, [], pid)


DATA = """\
runit:
  owner: {me}
  runtime: none
  service_directory: {base}/service
  definitions: {base}/sv
  log_directory: {base}/log
  services:
    good: {{command: [sleep, "{seconds}"], log: false}}
    other: {{command: "{other}", log: false}}
"""


def test_with_rollback_on_failure_a_service_that_does_not_come_up_takes_the_whole_apply_back(running: Running, tmp_path: Path) -> None:
    def road(*arguments: str, seconds: int, other: str) -> Result:
        file = tmp_path / "data.yaml"
        file.write_text(DATA.format(me=pwd.getpwuid(os.geteuid()).pw_name, base=running.base, seconds=seconds, other=other))
        return runit_provision(*arguments, "--data", file, env={"RUNIT_PROVISION_LIB": str(tmp_path / "lib")})

    first = road("apply", seconds=1000, other="sleep 1000")
    assert (first.status, first.err) == (0, "")
    before, pid = running.listing(), running.pid("good")
    failed = road("apply", "--rollback-on-failure", "--timeout", "8", seconds=2000, other="false")
    assert failed.status == 1
    *problems, last = failed.err.splitlines()
    assert [problem.startswith(f"{tmp_path}/data.yaml:") for problem in problems] == [True], failed.err
    assert last == "1 problem; all was put back as it was"
    assert failed.out.splitlines()[-1].startswith("rolled back: 2 paths changed, ")
    assert running.listing() == before
    assert running.pid("good") not in (0, pid)
    assert running.pid("other")
    assert road("check", seconds=1000, other="sleep 1000").status == 0


@pytest.mark.shows("roads", "command line", "a service that fails")
def test_services_one_by_one_and_what_is_told_of_each(running: Running, tmp_path: Path) -> None:
    def road(*arguments: str, other: str = "sleep 1000", seconds: int = 1000) -> Result:
        file = tmp_path / "data.yaml"
        file.write_text(DATA.format(me=pwd.getpwuid(os.geteuid()).pw_name, base=running.base, seconds=seconds, other=other))
        data = ("--data", file) if arguments[0] != "restart" else ()
        return runit_provision(*arguments, *data, "--format", "json", env={"RUNIT_PROVISION_LIB": str(tmp_path / "lib")})

    def states(other: str = "sleep 1000", seconds: int = 1000) -> dict[str, dict[str, object]]:
        return {row["service"]: row for row in json.loads(road("check", other=other, seconds=seconds).out)["states"]}

    assert road("apply", "--no-services").status == 0
    assert not (running.base / "sv/good").exists()
    assert json.loads(road("apply", "--service", "good").out)["services"] == [{"service": "good", "verb": "start"}]
    told = states()
    assert (told["good"]["state"], told["good"]["drift"], told["good"]["pid"]) == ("up", False, running.pid("good"))
    assert (told["other"]["state"], told["other"]["made"], told["other"]["reasons"][-1]) == ("not supervised", False, "start: new")  # type: ignore[index]
    failed = road("apply", "--service", "other", other="false")
    assert (failed.status, list(json.loads(failed.out)["failed"])) == (1, ["other"])
    assert failed.err.startswith(
        f"{tmp_path}/data.yaml:9:5: runit.services.other: {running.base}/sv/other: other: came up, but ended again"
    )
    assert failed.err.splitlines()[1:] == ["1 problem; the rest is done"]
    assert road("apply", "--service", "other").status == 0
    assert states()["other"]["state"] == "up", "what rested when it changed is up again when apply returns"

    changed = states(other="sleep 2000", seconds=2000)
    assert [changed[name]["reasons"] for name in ("good", "other")] == [["run: content changed", "restart: run changed"]] * 2
    pids = running.pid("good"), running.pid("other")
    assert json.loads(road("restart", "other").out)["services"] == [{"service": "other", "verb": "restart"}]
    assert (running.pid("good") == pids[0], running.pid("other") == pids[1]) == (True, False)
    unknown = road("restart", "otter")
    assert (unknown.status, "apply has made no service 'otter' here" in unknown.err) == (1, True)


def test_what_gave_up_is_started_by_no_apply_until_it_changes(running: Running, tmp_path: Path) -> None:
    def road(*arguments: str, command: str) -> Result:
        file = tmp_path / "data.yaml"
        me = pwd.getpwuid(os.geteuid()).pw_name
        file.write_text(DATA.format(me=me, base=running.base, seconds=1000, other=f'{command}", restart: never, stderr: "supervisor'))
        return runit_provision(*arguments, "--data", file, env={"RUNIT_PROVISION_LIB": str(tmp_path / "lib")})

    failed = road("apply", command="sh -c 'echo start >>told; exit 3'")
    waiting.until(lambda: (running.base / "sv/other/gave_up").exists() and running.is_down("other"))
    assert (failed.status, "other: came up, but" in failed.err) in ((1, True), (0, False))
    said = "= other  leave: it gave up: it ended more often than `restart` forgives; `sv up` starts it"
    for _ in range(2):
        checked = road("check", command="sh -c 'echo start >>told; exit 3'")
        assert (checked.status, checked.out.splitlines()[0]) == (0, said)
        assert road("apply", command="sh -c 'echo start >>told; exit 3'").status == 0
    assert running.told("other") == ["start"]
    assert road("verify", "--within", "0", command="sh -c 'echo start >>told; exit 3'").status == 2
    mended = road("apply", command="sleep 1000")
    assert (mended.status, mended.err) == (0, "")
    assert "start: run changed; it had given up" in mended.out
    assert running.pid("other")


def struck(running: Running, at: int, error: int | None) -> int:
    """Change what was applied, with a fault at change `at`; hold what comes of it against what it has to be, and take it back."""
    one = grow(running.base, [Unit("a", run=script("one")), Unit("b", run=script())])
    two = grow(running.base, [Unit("a", run=script("two")), Unit("b", run=script()), Unit("c", run=script())])
    assert running.apply(one).ok
    waiting.until(lambda: running.told("a") and running.told("b"))
    steady = running.pid("b")
    (running.base / "sv/a/told").write_text("")
    status = interrupted(lambda: running.apply(two), at=at, error=error)
    report = running.apply(two)
    assert report.ok, report.problems
    waiting.until(lambda: running.told("a"), what=f"a restart after a fault at {at}")
    assert running.told("a") == ["start"]
    assert running.pid("c")
    assert running.pid("b") == steady
    (running.base / "sv/c/told").unlink(missing_ok=True)
    assert running.apply(one).ok
    waiting.until(lambda: len(running.told("a")) == 2)
    return status


@pytest.mark.parametrize("error", [None, errno.ENOSPC], ids=["killed", "disk full"])
def test_struck_at_many_changes_no_service_is_lost_and_none_restarted_twice(several: list[Running], error: int | None) -> None:
    numbers = itertools.count(1, 1 if ALL else 5 if error is None else 9)
    statuses: list[int] = []
    while UNTOUCHED not in statuses:
        works = [partial(struck, place, next(numbers), error) for place in several]
        statuses = [apart.given(beside, deadline=200) for beside in [apart.begun(work) for work in works]]


def test_applies_and_rollbacks_at_once_follow_each_other_beneath_a_runsvdir(running: Running) -> None:
    """Neither leaves anything half made for runsvdir to start, nor a service that nobody knows of."""
    one, two = (
        grow(running.base, [Unit(name, run=whole(text), files={"z": (b"z", Effect.NOTHING)}) for name in names])
        for text, names in (("one", "abc"), ("two", "bcd"))
    )
    running.apply(one)

    def apply() -> None:
        for number in range(4):
            assert running.apply((two, one)[number % 2], lock_timeout=100).ok

    def take_back() -> None:
        for _ in range(4):
            try:
                assert running.rollback(lock_timeout=100).ok
            except HostError as error:
                assert "no apply to roll back" in str(error)

    pids = []
    for work in (apply, take_back):
        pids.append(os.fork())
        if pids[-1] == 0:
            status = 1
            try:
                work()
                status = 0
            finally:
                os._exit(status)
    assert [waiting.ended(pid, deadline=200) for pid in pids] == [0, 0]
    report = running.apply(two)
    assert report.ok, report.problems
    assert running.plan(two).empty
    assert not (running.base / "half").exists()
    assert {path.name for path in (running.base / "sv").iterdir()} == set("bcd")
    waiting.until(lambda: all(running.pid(name) for name in "bcd"), what="all services up")
    alive = {int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _is_in(path, running.base / "sv")}
    assert alive >= {running.pid(name) for name in "bcd"}
    assert len([pid for pid in alive if _words(pid)[:1] == ["sleep"]]) == 3, "each runs once"


def whole(text: str) -> bytes:
    """A run script that tells when it is started before its directory is whole."""
    return f"#!/bin/sh\n# {text}\n[ -s z ] || echo half >>../../half\nexec sleep 1000\n".encode()


def _is_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").readlink().is_relative_to(folder)
    except OSError:
        return False


def _words(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
