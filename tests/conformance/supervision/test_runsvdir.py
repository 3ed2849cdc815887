"""runsvdir(8), sentence by sentence, in C's and in ours."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import oracle
from support.supervision import MARK, Tree, is_alive, letter, pid_of, service, stat, tree
from support.waiting import DEADLINE, until

SLEEPER = "exec sleep 1000"


@pytest.fixture(params=["C", "ours"])
def program(request: pytest.FixtureRequest, runtime: Path) -> str:
    return oracle.program("runsvdir", package="runit") if request.param == "C" else str(runtime / "runsvdir")


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    folder = tmp_path / "definitions"
    folder.mkdir()
    return folder


@pytest.fixture
def services(tmp_path: Path) -> Path:
    folder = tmp_path / "services"
    folder.mkdir()
    return folder


Start = Callable[..., Tree]


@pytest.fixture
def start(program: str, services: Path, tmp_path: Path) -> Iterator[Start]:
    contexts = []

    def started(*arguments: str) -> Tree:
        context = tree(program, services, tmp_path / "state", *arguments)
        contexts.append(context)
        running = context.__enter__()
        running.start()
        return running

    yield started
    for context in contexts:
        context.__exit__(None, None, None)


def runs(folder: Path) -> bool:
    return stat(folder) == "run" and is_alive(pid_of(folder))


@pytest.mark.covers("runsvdir", "dot names", "scan")
def test_directories_and_links_are_services_and_dot_names_and_files_are_not(start: Start, services: Path, definitions: Path) -> None:
    service(services / "directory", SLEEPER)
    service(services / ".hidden", SLEEPER)
    (services / "file").write_text("no service\n")
    (services / "dangling").symlink_to("nowhere")
    (services / "link").symlink_to(service(definitions / "linked", SLEEPER))
    running = start()
    until(lambda: runs(services / "directory") and runs(services / "link"), what="both run")
    until(lambda: running.commands().count("sleep 1000") == 2, what="both have become what they execute")
    assert not (services / ".hidden/supervise").exists()


@pytest.mark.covers("runsvdir", "appear", "disappear")
def test_a_new_link_starts_and_a_removed_one_ends(start: Start, services: Path, definitions: Path) -> None:
    service(services / "first", SLEEPER)
    second = service(definitions / "second", SLEEPER, finish='echo "$1 $2 $(cat supervise/stat)" >finished')
    start()
    until(lambda: runs(services / "first"), what="the first runs")
    first = pid_of(services / "first")
    (services / "second").symlink_to(second)
    until(lambda: runs(second), what="the second runs")
    (services / "second").unlink()
    until(lambda: stat(second) == "down" and (second / "finished").exists(), what="the second is down")
    assert (second / "finished").read_text() == "-1 15 finish, want exit\n"
    assert pid_of(services / "first") == first


@pytest.mark.covers("runsvdir", "replaced directory")
def test_a_directory_that_is_replaced_is_another_service(start: Start, services: Path, definitions: Path) -> None:
    old = service(definitions / "old", SLEEPER)
    new = service(definitions / "new", SLEEPER)
    (services / "it").symlink_to(old)
    running = start()
    until(lambda: runs(old), what="the old one runs")
    (services / "it.new").symlink_to(new)
    (services / "it.new").replace(services / "it")
    until(lambda: runs(new) and stat(old) == "down", what="the new one runs, the old one does not")
    until(lambda: running.commands().count("sleep 1000") == 1, what="it has become what it executes")


@pytest.mark.covers("runsvdir", "the stand-in after TERM")
@pytest.mark.covers("runsvdir", "signal TERM")
def test_term_exits_0_and_services_run_on_and_can_be_controlled(start: Start, services: Path) -> None:
    service(services / "it", SLEEPER)
    running = start()
    until(lambda: runs(services / "it"), what="it runs")
    pid = pid_of(services / "it")
    assert running.kill(signal.SIGTERM) == 0
    assert is_alive(pid)
    until(lambda: subprocess.run(["sv", "restart", str(services / "it")], capture_output=True, check=False).returncode == 0)
    until(lambda: runs(services / "it") and pid_of(services / "it") != pid, what="it was restarted")


@pytest.mark.covers("runsvdir", "signal HUP")
def test_hup_exits_111_and_every_service_ends(start: Start, services: Path) -> None:
    service(services / "it", SLEEPER, finish="echo finished >finished")
    running = start()
    until(lambda: runs(services / "it"), what="it runs")
    assert running.kill(signal.SIGHUP) == 111
    until(lambda: (services / "it/finished").exists() and not running.processes(), what="all have ended")


def relations(running: Tree, home: Path) -> dict[str, bool]:
    """Give how a service, its logger and runsvdir are related by session and process group."""
    both = [pid_of(home), pid_of(home / "log")]
    return {
        "the group is its session's first": all(os.getsid(pid) == os.getpgid(pid) for pid in both),
        "one of them leads": not {os.getsid(pid) for pid in both}.isdisjoint(both),
        "runsvdir's": os.getsid(running.pid) in {os.getsid(pid) for pid in both},
    }


APART = {
    "the group is its session's first": True,
    "one of them leads": False,
    "runsvdir's": False,
}


def is_new(folder: Path, before: int) -> bool:
    return runs(folder) and pid_of(folder) != before


@pytest.mark.covers("runsvdir", "-P")
def test_p_gives_service_and_logger_sessions_that_neither_leads(start: Start, services: Path) -> None:
    for name in ("a", "b"):
        service(services / name, SLEEPER, log="exec cat >/dev/null")
    running = start("-P")
    until(lambda: all(runs(services / name) for name in ("a", "b", "a/log", "b/log")), what="all run")
    assert [relations(running, services / name) for name in ("a", "b")] == [APART, APART]
    assert os.getsid(pid_of(services / "a")) != os.getsid(pid_of(services / "b"))
    for folder in (services / "a", services / "a/log", services / "a"):
        before = pid_of(folder)
        letter(folder, "k")
        until(lambda: is_new(folder, before), what="it was started again")  # noqa: B023
        assert relations(running, services / "a") == APART


def test_p_without_a_logger_gives_a_session_that_the_service_does_not_lead(start: Start, services: Path) -> None:
    for name in ("a", "b"):
        service(services / name, SLEEPER)
    running = start("-P")
    until(lambda: runs(services / "a") and runs(services / "b"), what="both run")
    sessions = [os.getsid(pid) for pid in (running.pid, pid_of(services / "a"), pid_of(services / "b"))]
    assert len(set(sessions)) == 3
    assert not {pid_of(services / "a"), pid_of(services / "b")} & set(sessions)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_with_p_a_signal_to_the_group_of_a_service_ends_no_other_and_it_comes_back(start: Start, services: Path, number: int) -> None:
    for name in ("it", "other"):
        service(services / name, SLEEPER, log="exec cat >/dev/null")
    running = start("-P")
    until(lambda: all(runs(services / name) for name in ("it", "it/log", "other", "other/log")), what="all run")
    before, *others = [pid_of(services / name) for name in ("it", "other", "other/log")]
    os.killpg(os.getpgid(before), number)
    until(lambda: is_new(services / "it", before) and runs(services / "it/log"), what="it runs again")
    assert relations(running, services / "it") == APART
    assert [pid_of(services / name) for name in ("other", "other/log")] == others


def test_with_p_a_service_can_make_a_session_of_its_own_in_place(start: Start, services: Path) -> None:
    service(services / "getty", "echo $$ >pid\nexec setsid sleep 1000")
    start("-P")
    own = services / "getty/pid"
    pid = int(until(lambda: runs(services / "getty") and own.exists() and own.read_text(), what="it runs"))
    assert pid_of(services / "getty") == pid
    until(lambda: os.getsid(pid) == pid, what="it leads its session")


def test_with_p_opening_a_terminal_does_not_make_it_the_controlling_one(start: Start, services: Path) -> None:
    master, slave = os.openpty()
    try:
        service(services / "it", f"exec 3<>{os.ttyname(slave)}\ntouch opened\n{SLEEPER}")
        start("-P")
        until(lambda: (services / "it/opened").exists() and runs(services / "it"), what="it has opened the terminal")
        terminal = Path(f"/proc/{pid_of(services / 'it')}/stat").read_text().rpartition(") ")[2].split()[4]
        assert terminal == "0"
    finally:
        os.close(master)
        os.close(slave)


def test_without_p_services_are_in_runsvdirs_session_and_group(start: Start, services: Path) -> None:
    service(services / "a", SLEEPER)
    running = start()
    until(lambda: runs(services / "a"), what="it runs")
    assert (os.getsid(pid_of(services / "a")), os.getpgid(pid_of(services / "a"))) == (os.getsid(running.pid), os.getpgid(running.pid))


def test_a_service_that_was_told_to_exit_comes_back(start: Start, services: Path) -> None:
    service(services / "it", SLEEPER)
    start()
    until(lambda: runs(services / "it"), what="it runs")
    pid = pid_of(services / "it")
    subprocess.run(["sv", "exit", str(services / "it")], capture_output=True, check=False)
    until(lambda: runs(services / "it") and pid_of(services / "it") != pid, what="it runs again")


def test_services_get_the_environment_and_nothing_else(program: str, services: Path, tmp_path: Path) -> None:
    tells = "tr '\\0' '\\n' </proc/self/environ >given.new; mv given.new given; exec sleep 1000"
    home = service(services / "it", tells, log=tells)
    with tree("/usr/bin/env", services, tmp_path / "state") as running:
        given = {f"{MARK}={running.mark}", f"RUNIT_PROVISION_STATE={running.state}", f"PATH={os.environ['PATH']}", "LANG=C"}
        running.arguments = ("-i", *given, program)
        running.start()
        until(lambda: all((folder / "given").exists() for folder in (home, home / "log")), what="both have told")
        for folder in (home, home / "log"):
            assert {line for line in (folder / "given").read_text().splitlines() if not line.startswith("PWD=")} == given


@pytest.mark.covers("runsvdir", "log")
def test_what_is_said_of_a_fault_stands_in_the_title(program: str, services: Path, tmp_path: Path) -> None:
    service(services / "it", "echo 'the last words' >&2\nexec sleep 1000")
    with tree(program, services, tmp_path / "state") as running:
        running.after = ("log: " + "." * 60,)
        running.start()
        title = Path(f"/proc/{running.pid}/cmdline")
        until(lambda: b"the last words" in title.read_bytes(), what="it is in the title")
        shown = title.read_bytes().rstrip(b"\0\n").split(b"\0")[-1]
        assert shown.startswith(b"log: ")
        assert len(shown) in {64, 65}
        assert running.stderr.read_bytes() == b""


@pytest.mark.covers("runsvdir", "the rolling title")
@pytest.mark.covers("runsvdir", "log")
def test_each_fifteen_minutes_a_dot_rolls_in(program: str, services: Path, tmp_path: Path) -> None:
    with tree(program, services, tmp_path / "state") as running:
        running.after = ("log: " + "x" * 60,)
        running.extra = {"LD_PRELOAD": oracle.faketime(), "FAKETIME": "+0 x1800"}  # half an hour passes in a second
        running.start()
        title = Path(f"/proc/{running.pid}/cmdline")
        until(lambda: title.read_bytes().rstrip(b"\0\n").endswith(b"xx....."), what="five dots")


@pytest.mark.covers("runsvdir", "log")
def test_a_log_argument_that_is_too_short_is_refused_with_a_warning(program: str, services: Path, tmp_path: Path) -> None:
    service(services / "it", SLEEPER)
    with tree(program, services, tmp_path / "state") as running:
        running.after = ("short",)
        running.start()
        until(lambda: runs(services / "it"), what="it runs")
        text = running.stderr.read_text()
    assert "log must have at least seven characters." in text
    assert "log service disabled." in text


def test_an_empty_name_is_not_the_current_directory(runtime: Path, services: Path) -> None:
    service(services / "it", SLEEPER)
    done = subprocess.run([runtime / "runsvdir", "-P", ""], cwd=services, capture_output=True, check=False, timeout=DEADLINE)
    assert (done.returncode, done.stderr.endswith(b" [-P] dir\n\n")) == (1, True)
    assert not (services / "it/supervise").exists()


@pytest.mark.parametrize("arguments", [(), ("-P",), ("--",)])
def test_usage(program: str, arguments: tuple[str, ...]) -> None:
    done = subprocess.run([program, *arguments], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.replace(program.encode(), b"X")) == (1, b"", b"usage: X [-P] dir\n\n")


SHORT = "runsvdir ./: warning: log must have at least seven characters.\nrunsvdir ./: warning: log service disabled.\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nope"], "runsvdir nope: warning: unable to stat nope: file does not exist\n"),
        (["./", "short"], SHORT),
        (["./", ""], SHORT),
    ],
    ids=["nope", "short", "empty"],
)
def test_messages_name_the_directory_as_it_was_named(program: str, tmp_path: Path, words: list[str], said: str) -> None:
    with tree(program, tmp_path, tmp_path / "state") as ended_at_last:
        command, environment = [program, *words], ended_at_last.environment()
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as running:
            assert running.stderr is not None
            assert "".join(running.stderr.readline() for _ in said.splitlines()) == said
            running.kill()
