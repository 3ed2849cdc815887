"""Where a tree keeps its private state: whoever starts the next runsvdir, and with whatever environment, there is one keeper."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support import oracle, supervision
from support.programs import started
from support.supervision import Tree, log_in_pool, pid_of, script, service, stat, tree
from support.waiting import DEADLINE, until, written

from runit_provision.runtime.shell.meeting import KEEPER
from runit_provision.runtime.shell.state import key

NOBODY = 65534
LISTENS = """
import os, socket, sys
os.setuid(int(sys.argv[2]))
listener = socket.socket(fileno=int(sys.argv[1]))
listener.listen()
print(flush=True)
print(listener.accept()[0].recvmsg(9, 99))"""
PAGE = os.sysconf("SC_PAGE_SIZE")
COUNTS = "i=0; while [ ! -e stop ]; do echo $i; i=$((i+1)); sleep 0.01; done; echo $i >last; exec sleep 1000"


def laid(folder: Path, runtime: Path) -> tuple[Path, Path]:
    """Give a service that starts no more than once, and one that counts into a log of the pool."""
    plain = service(folder / "plain", "echo $$ >>starts; exec sleep 1000")
    counts = service(folder / "counts", f"echo $$ >>starts; {COUNTS}", log="")
    log_in_pool(counts, runtime)
    return plain, counts


@pytest.fixture
def running(runtime: Path, tmp_path: Path) -> Iterator[Tree]:
    laid(tmp_path / "services", runtime)
    with tree(runtime / "runsvdir", tmp_path / "services", tmp_path / "state") as prepared:
        yield prepared


def pids(running: Tree) -> list[int]:
    """Give the pids of the services, once all run."""
    homes = [running.services / name for name in ("plain", "counts")]
    until(lambda: all(stat(home) == "run" for home in (*homes, homes[1] / "log")), what="all run")
    return [pid_of(home) for home in homes]


def named(running: Tree, name: str) -> list[int]:
    return [pid for pid in running.processes() if supervision.name(pid) == name]


def is_taken_over(running: Tree) -> None:
    until(lambda: running.supervises(*running.services.iterdir()), what="the next runsvdir has them")


def logged(home: Path) -> list[str]:
    main = home / "log/main"
    return [line for path in (*sorted(main.glob("@*")), main / "current") for line in path.read_text().split()]


def started_once(running: Tree, before: list[int]) -> None:
    """Each service has the pid that it began with, and every line is in the log."""
    assert pids(running) == before
    counts = running.services / "counts"
    assert [int(written(home / "starts")) for home in (running.services / "plain", counts)] == before
    (counts / "stop").touch()
    last = int(written(counts / "last"))
    until(lambda: logged(counts) == [str(number) for number in range(last)], what="every line")


def test_a_users_tree_outlives_the_directory_of_the_login_and_an_environment_without_it(runtime: Path, tmp_path: Path) -> None:
    oracle.root("runs a tree as somebody else")
    tmp_path.chmod(0o755)
    place = tmp_path / "user"
    login = place / "login"
    login.mkdir(parents=True)
    login.chmod(0o700)
    laid(place / "services", runtime)
    subprocess.run(["chown", "-R", "61011:61011", place], check=True)
    start = tmp_path / "start"
    call = f'exec setpriv --reuid 61011 --regid 61011 --clear-groups {runtime / "runsvdir"} "$@"'
    script(start, f"umask 0; unset RUNIT_PROVISION_STATE; export HOME={place} XDG_RUNTIME_DIR={login}; {call}")
    with tree(start, place / "services", tmp_path / "unused") as running:
        running.start()
        before = pids(running)
        assert {path.stat().st_mode & 0o777 for path in (place / ".local", place / ".local/state")} == {0o700}
        shutil.rmtree(login)
        for pid in named(running, "log-pool"):
            os.kill(pid, signal.SIGKILL)
        until(lambda: named(running, "log-pool") and stat(place / "services/counts/log") == "run", what="another pool")
        keeper = running.keeper()
        running.kill()
        script(start, f"unset RUNIT_PROVISION_STATE XDG_RUNTIME_DIR; export HOME={place}; {call}")
        running.start()
        is_taken_over(running)
        assert running.keeper() == keeper
        started_once(running, before)


def test_a_runsvdir_with_another_environment_takes_the_tree_over_where_its_state_is(running: Tree, tmp_path: Path) -> None:
    running.start()
    before, keeper = pids(running), running.keeper()
    running.kill()
    running.extra = {"RUNIT_PROVISION_STATE": str(tmp_path / "another")}
    running.start()
    is_taken_over(running)
    assert running.keeper() == keeper
    said = f"info: keeper {keeper} has this tree, with its state in {running.state}/trees/"
    assert said in running.stderr.read_text()
    started_once(running, before)
    assert running.kill(signal.SIGHUP) == 111
    until(lambda: running.processes() == [], what="all have ended")


def test_a_living_runsvdir_is_waited_for_whatever_the_environment_of_the_second_one(runtime: Path, running: Tree) -> None:
    running.start()
    before = pids(running)
    with tree(runtime / "runsvdir", running.services, running.state.with_name("another")) as second:
        second.start()
        said = f"warning: already supervised by process {running.pid}; waiting for it to end"
        until(lambda: said in second.stderr.read_text(), what="the second one says so")
        assert len(named(running, "runsvdir-keeper")) == 1
        assert named(second, "runsvdir-keeper") == []
        assert pids(running) == before


def test_where_the_state_was_removed_pools_and_keepers_come_back(running: Tree) -> None:
    running.start()
    before = pids(running)
    shutil.rmtree(running.state)
    for name in ("log-pool", "runsvdir-keeper"):
        (old,) = named(running, name)
        os.kill(old, signal.SIGKILL)
        until(lambda: named(running, name) not in ([], [old]), what=f"another {name}")  # noqa: B023 - called at once
    started_once(running, before)


@pytest.mark.parametrize("stands_in", [True, False])
def test_where_the_state_was_removed_the_next_runsvdir_takes_all_over(running: Tree, stands_in: bool) -> None:
    running.start()
    before, keeper = pids(running), running.keeper()
    shutil.rmtree(running.state)
    running.kill()
    if stands_in:
        until(lambda: all_vouched(running), what="a stand-in")
    running.start()
    is_taken_over(running)
    until(lambda: not supervision.is_alive(keeper), what="the keeper that nobody could talk to has ended")
    assert "is gone; what runs goes on" in running.stderr.read_text()
    started_once(running, before)
    assert len(named(running, "runsvdir-keeper")) == len(named(running, "log-pool")) == 1


def test_where_the_state_was_moved_the_next_runsvdir_finds_it(running: Tree) -> None:
    running.start()
    before, keeper = pids(running), running.keeper()
    (running.state / "trees").rename(running.state / "elsewhere")
    running.kill()
    running.start()
    is_taken_over(running)
    assert running.keeper() == keeper
    assert f"keeper {keeper} has this tree, with its state in {running.state}/elsewhere/" in running.stderr.read_text()
    started_once(running, before)


def test_a_service_that_is_called_a_pool_keeps_nobody_from_taking_over(running: Tree) -> None:
    """It has open what has a journal's path, in a mount namespace of its own, and is not ours alone."""
    oracle.root("mounts something")
    place = running.state / "trees" / key(str(running.services))
    poses = f"mount -t tmpfs none {running.state}; mkdir -p {place}; exec 3>{place}/pool-0.journal; chmod 666 {place}/pool-0.journal"
    poses += "; printf log-pool >/proc/self/comm; echo poses; read forever <never"
    home = service(running.services / "poses", f"exec unshare -m sh -c '{poses}' >said")
    os.mkfifo(home / "never")
    running.start()
    until(lambda: (home / "said").exists() and written(home / "said") == "poses\n", what="it poses")
    before = pids(running)
    shutil.rmtree(running.state)
    running.kill()
    running.start()
    is_taken_over(running)
    started_once(running, before)


def test_a_runsvdir_that_is_killed_while_it_takes_over_has_the_next_one_do_it(running: Tree) -> None:
    running.start()
    before, keeper = pids(running), running.keeper()
    shutil.rmtree(running.state)
    for pid in (keeper, *named(running, "log-pool")):
        os.kill(pid, signal.SIGSTOP)  # as far as it came
    running.kill()
    running.start()
    is_taken_over(running)
    assert not supervision.is_alive(keeper)
    started_once(running, before)


@pytest.mark.parametrize("pages", [1, 8, 20])
def test_where_there_is_no_room_to_take_over_nobody_is_ended_until_there_is(
    runtime: Path, small: Path, tmp_path: Path, pages: int
) -> None:
    """A table has room for 64 services, 16 pages, and is there twice for a while."""
    subprocess.run(["mount", "-o", "remount,size=256k", str(small)], check=True)
    homes = [service(tmp_path / f"services/s{number}", "echo $$ >>starts; exec sleep 1000") for number in range(10)]
    with tree(runtime / "runsvdir", tmp_path / "services", small / "state") as running:
        running.stderr = tmp_path / "stderr"
        running.start()
        until(lambda: all(stat(home) == "run" for home in homes), what="all run")
        before, keeper = [pid_of(home) for home in homes], running.keeper()
        shutil.rmtree(running.state)
        running.kill()
        until(lambda: len(named(running, "runsvdir")) == 1, what="a stand-in")
        fill(small / "filler", but=pages)
        running.start()
        said = "is gone; unable to take over: out of disk space, trying again"
        until(lambda: said in running.stderr.read_text(), what="it is told")
        assert supervision.is_alive(keeper)
        assert len(named(running, "runsvdir")) == 2
        (small / "filler").unlink()
        until(lambda: running.supervises(*homes), what="then it has them")
        assert [pid_of(home) for home in homes] == [int(written(home / "starts")) for home in homes] == before
        assert sorted(running.commands()).count("sleep 1000") == len(homes)
        assert not supervision.is_alive(keeper)


def fill(path: Path, *, but: int) -> None:
    """Write to `path` until its disk has `but` pages left."""
    with path.open("wb", buffering=0) as file:
        with suppress(OSError):
            while file.write(bytes(PAGE)):
                pass
        file.truncate(file.tell() // PAGE * PAGE - but * PAGE)


@pytest.mark.parametrize("call", range(1, 12))
def test_a_runsvdir_that_is_killed_while_it_copies_what_was_written_down_has_the_next_one_do_it(
    running: Tree, tmp_path: Path, call: int
) -> None:
    strace = oracle.program("strace", package="strace")
    running.start()
    before, keeper = pids(running), running.keeper()
    shutil.rmtree(running.state)
    running.kill()
    until(lambda: all_vouched(running), what="a stand-in")
    start, program = tmp_path / "start", running.program
    fault = f"-e trace=pwrite64 -e inject=pwrite64:signal=KILL:when={call}"
    script(start, f'exec {strace} -D -qq -o {tmp_path / "trace"} {fault} {program} "$@"')
    running.program = str(start)
    running.start()
    first = running.process
    assert first is not None
    until(lambda: first.poll() is not None or running.supervises(*running.services.iterdir()), what="it is over")
    running.kill()
    running.program = program
    running.start()
    is_taken_over(running)
    assert not supervision.is_alive(keeper)
    started_once(running, before)


def all_vouched(running: Tree) -> bool:
    return len(named(running, "runsvdir")) == 1 and all(stat(home) == "run" for home in running.services.iterdir())


@pytest.mark.parametrize("restarted", [False, True], ids=["first", "next"])
def test_where_the_state_was_removed_a_living_runsvdir_is_waited_for_and_named(runtime: Path, running: Tree, restarted: bool) -> None:
    """The next one has not started the keeper, and obeys as the first does."""
    running.start()
    before = pids(running)
    if restarted:
        running.kill()
        running.start()
        is_taken_over(running)
    shutil.rmtree(running.state)
    with tree(runtime / "runsvdir", running.services, running.state) as second:
        second.stderr = running.stderr.with_name("second.stderr")
        second.start()
        said = f"of process {running.pid} has this tree, and its state directory {running.state}/trees/"
        until(lambda: second.stderr.exists() and said in second.stderr.read_text(), what="the second one says so")
        assert named(second, "runsvdir-keeper") == []
        assert pids(running) == before
        supervision.letter(running.services / "plain", "d")
        until(lambda: stat(running.services / "plain") == "down", what="the first one obeys")
        assert running.kill(signal.SIGHUP) == 111
        until(lambda: second.supervises(running.services / "plain"), what="then it supervises")


def test_a_runsvdir_that_waits_begins_anew_where_the_state_was_removed(runtime: Path, running: Tree, tmp_path: Path) -> None:
    running.start()
    before = pids(running)
    with tree(runtime / "runsvdir", running.services, running.state) as second:
        second.stderr = tmp_path / "second.stderr"
        second.start()
        until(lambda: second.stderr.exists() and "already supervised" in second.stderr.read_text(), what="the second one waits")
        shutil.rmtree(running.state / "trees")
        running.kill_with_keeper()
        until(lambda: second.supervises(*running.services.iterdir()), what="it supervises")
        assert "was removed; beginning anew" in second.stderr.read_text()
        second.keeper()
        assert second.process is not None
        assert second.process.poll() is None
        for pid in before:
            os.kill(pid, signal.SIGKILL)


def test_what_was_taken_from_a_keeper_is_waited_for_while_it_cannot_be_read(running: Tree) -> None:
    place = running.state / "trees" / key(str(running.services))
    place.mkdir(parents=True, mode=0o700)
    running.state.chmod(0o700)
    (place / "taken").symlink_to("taken")
    running.start()
    until(lambda: "unable to take over what runs: " in written(running.stderr), what="it is told")
    assert named(running, "runsvdir-keeper") == []
    (place / "taken").unlink()
    pids(running)


def test_a_keeper_by_another_name_is_found_though_an_older_table_tells_of_services(running: Tree, tmp_path: Path) -> None:
    running.start()
    pids(running)
    running.kill_with_keeper()
    running.end()
    (tmp_path / "link").symlink_to("services")
    real, running.services = running.services, tmp_path / "link"
    running.start()
    is_taken_over(running)
    before = pids(running)
    with tree(running.program, real, running.state) as second:
        second.stderr = tmp_path / "second.stderr"
        second.start()
        said = f"already supervised by process {running.pid}"
        until(lambda: second.stderr.exists() and said in second.stderr.read_text(), what="the second one waits for the first")
        assert named(second, "runsvdir-keeper") == []
        running.kill_with_keeper()
        until(lambda: second.supervises(*real.iterdir()), what="then it has them")
        assert pids(running) == before
        assert [len((real / name / "starts").read_text().split()) for name in ("plain", "counts")] == [2, 2]
        assert [int((real / name / "starts").read_text().split()[-1]) for name in ("plain", "counts")] == before
        for pid in before:
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("name", ["alias", "a+b%2B é"])
def test_the_directory_by_another_name_meets_the_keeper_that_has_it(running: Tree, runtime: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("services")
    real, running.services = running.services, tmp_path / name
    running.start()
    before = pids(running)
    running.kill()
    running.services = real
    running.start()
    is_taken_over(running)
    assert f"has this tree as {tmp_path / name}, with its state in" in running.stderr.read_text()
    assert len(named(running, "runsvdir-keeper")) == len(named(running, "runsvdir")) == 1
    service(real / "new", "exec sleep 1000")
    until(lambda: stat(real / "new") == "run", what="what is new is found")
    started_once(running, before)
    assert running.kill(signal.SIGHUP) == 111
    until(lambda: running.processes() == [], what="all have ended")


def test_the_directory_by_another_name_meets_what_a_keeper_that_died_has_left(running: Tree, tmp_path: Path) -> None:
    (tmp_path / "another").symlink_to("services")
    other = service(tmp_path / "others/it", "exec sleep 1000").parent
    (tmp_path / "circle").symlink_to(other)
    with tree(running.program, tmp_path / "circle", running.state) as lost:
        lost.start()
        until(lambda: stat(other / "it") == "run", what="it runs")
        lost.kill_with_keeper()
        (tmp_path / "circle").unlink()
        (tmp_path / "circle").symlink_to("circle")
        real, running.services = running.services, tmp_path / "another"
        running.start()
        before = pids(running)
        running.kill_with_keeper()
        running.services = real
        running.start()
        is_taken_over(running)
        started_once(running, before)
        assert "info: what runs of this tree was left with its state in" in running.stderr.read_text()
        assert running.kill(signal.SIGHUP) == 111
        assert not any(map(supervision.is_alive, before))


@contextmanager
def posing(running: Tree, tmp_path: Path, words: Sequence[str | Path], *, owner: int, mode: int) -> Iterator[subprocess.Popen[bytes]]:
    """Have nobody start a setuid program that keeps open what a keeper would, in a place of `owner`'s with that mode."""
    place = tmp_path / "theirs/trees" / key(str(running.services))
    place.mkdir(parents=True, mode=mode)
    paths = [place, place / "lock", place / "records", place / KEEPER]
    for path in paths[1:]:
        path.touch(mode=0o600)
    opened = [os.open(path, os.O_RDONLY) for path in paths]
    for path in paths:
        os.chown(path, owner, owner)
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    account = {"user": NOBODY, "group": NOBODY, "extra_groups": ()}
    with started(words, **options, **account, pass_fds=opened) as keeper:
        for fd in opened:
            os.close(fd)
        if Path(f"/proc/{keeper.pid}").stat().st_uid != 0:
            oracle.absent(f"{words[0]} is on a file system that is mounted nosuid")
        yield keeper


def setuid_sleep(path: Path) -> Path:
    shutil.copy(oracle.program("sleep", package="coreutils"), path)
    path.chmod(0o4755)
    return path


def test_what_another_account_calls_a_keeper_is_none(running: Tree, tmp_path: Path) -> None:
    """A setuid program has root's uid, whatever name somebody gives it and whatever he has it keep open."""
    oracle.root("a setuid program")
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    program = setuid_sleep(tmp_path / "runsvdir-keeper")
    with posing(running, tmp_path, [program, "1000"], owner=NOBODY, mode=0o755):
        running.start()
        pids(running)
        assert "keeper" not in running.stderr.read_text()
        assert list(running.state.glob(f"trees/*/{KEEPER}"))


@pytest.mark.parametrize("kind", ["su", "python3"])
def test_no_setuid_program_is_a_keeper_though_what_it_has_open_is_ours(running: Tree, tmp_path: Path, kind: str) -> None:
    """su waits for a password; what is called python3 says that all four uids are looked at, and not the program's name alone."""
    oracle.root("a setuid program")
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    link = tmp_path / "runsvdir-keeper"
    link.symlink_to(oracle.program("su", package="util-linux") if kind == "su" else setuid_sleep(tmp_path / kind))
    with posing(running, tmp_path, [link, *([] if kind == "su" else ["1000"])], owner=0, mode=0o700) as keeper:
        running.start()
        pids(running)
        assert keeper.poll() is None
        assert supervision.name(keeper.pid) == link.name
        assert "keeper" not in running.stderr.read_text()
        assert list(running.state.glob(f"trees/*/{KEEPER}"))


def test_what_another_account_listens_at_is_told_nothing(running: Tree) -> None:
    oracle.root("listens as somebody else")
    place = running.state / "trees" / key(str(running.services))
    place.mkdir(parents=True, mode=0o700)
    running.state.chmod(0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock, (place / "lock").open("w") as lock:
        directory = os.open(place, os.O_PATH)
        sock.bind(f"/proc/self/fd/{directory}/{KEEPER}")  # the whole path may be too long for an address
        os.close(directory)
        fcntl.flock(lock, fcntl.LOCK_EX)
        words = [sys.executable, "-IS", "-c", LISTENS, str(sock.fileno()), str(NOBODY)]
        with started(words, pass_fds=[sock.fileno()], stdout=subprocess.PIPE, text=True) as stranger:
            assert stranger.stdout is not None
            assert stranger.stdout.readline() == "\n"
            running.start()
            assert running.process is not None
            assert running.process.wait(DEADLINE) == 111
            assert stranger.stdout.readline() == "(b'', [], 0, None)\n"
    assert f"fatal: {place}/{KEEPER}: user {NOBODY} listens there, and is told nothing" in running.stderr.read_text()
