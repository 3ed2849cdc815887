"""What a host runs out of, or takes away: it is said, tried again, and over as soon as the fault is; nothing is started twice."""

from __future__ import annotations

import errno
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import oracle
from support.checked_log import CheckedLog
from support.disk import mount_disk
from support.draws import draws
from support.supervision import COUNTS, ROLES, Tree, is_alive, letter, log_in_pool, name, pid_of, script, service, stat, status, tree
from support.waiting import DEADLINE, until

from runit_provision.runtime.wire import errors
from runit_provision.runtime.wire import status as wire

NO_MORE_FILES = "process cannot open more files"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return service(tmp_path / "services/it", "echo $$ >>started\nexec sleep 1000")


def said(running: Tree, text: str) -> None:
    until(lambda: text in running.stderr.read_text(), what=f"it is said: {text}")


def up(home: Path) -> int:
    """Wait until it runs, and its script has become what it executes; give its pid."""
    until(lambda: stat(home) == "run" and name(pid_of(home)) == "sleep", what=f"{home.name} runs")
    return pid_of(home)


def started(home: Path) -> list[int]:
    return [int(pid) for pid in (home / "started").read_text().split()]


@pytest.mark.parametrize("victim", ["supervisor", "keeper"])
def test_no_descriptor_to_be_had(runtime: Path, home: Path, tmp_path: Path, victim: str) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        pid = running.pid if victim == "supervisor" else running.keeper()
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        os.kill(before, signal.SIGKILL)
        service(tmp_path / "new", "exec sleep 1000").rename(home.parent / "new")
        said(running, NO_MORE_FILES if victim == "supervisor" else f"runsv it: warning: unable to fork, sleeping: {NO_MORE_FILES}")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        until(lambda: pid_of(home) not in {0, before} and stat(home) == "run", what="it runs again")
        up(home.parent / "new")
        until(lambda: started(home) == [before, pid_of(home)], what="it was started once more, and no more")


def test_a_letter_is_obeyed_though_no_descriptor_is_to_be_had(runtime: Path, home: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        limits = resource.prlimit(running.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        letter(home, "k")
        until(lambda: not is_alive(before), what="it is killed")
        resource.prlimit(running.pid, resource.RLIMIT_NOFILE, limits)
        until(lambda: started(home) == [before, up(home)], what="it runs again, once")
        assert "internal error" not in running.stderr.read_text()


def test_no_descriptor_to_be_had_for_a_log(runtime: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", tmp_path / "services", tmp_path / "state") as running:
        first = service(running.services / "first", "exec sleep 1000")
        running.start()
        until(lambda: pid_of(first) and len(running.supervisors()) == 2, what="supervisor and keeper are at work")
        for pid in (running.keeper(), running.pid):
            limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limits[1]))
            home = service(tmp_path / str(pid), "echo line\nexec sleep 1000", log="exit 1")
            log_in_pool(home, runtime)
            home = home.rename(running.services / str(pid))
            said(running, f"runsv {pid}: warning: unable to fork, sleeping: {NO_MORE_FILES}" if pid != running.pid else NO_MORE_FILES)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
            until(lambda home=home: "line" in text_of(home / "log/main/current"), what="its line is there")  # type: ignore[misc]


def test_no_descriptor_to_be_had_for_a_log_in_its_pool(runtime: Path, tmp_path: Path) -> None:
    """What is sent to a pool that may open no more comes without its descriptors; it is told, and over when there is room again."""
    first = service(tmp_path / "services/first", "echo line\nexec sleep 1000", log="exit 1")
    log_in_pool(first, runtime)
    with tree(runtime / "runsvdir", first.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: "line" in text_of(first / "log/main/current") and pid_of(first / "log"), what="its line is there")
        pool = pid_of(first / "log")
        limits = resource.prlimit(pool, resource.RLIMIT_NOFILE)
        resource.prlimit(pool, resource.RLIMIT_NOFILE, (3, limits[1]))
        home = service(tmp_path / "new", "echo line\nexec sleep 1000", log="exit 1")
        log_in_pool(home, runtime)
        home = home.rename(first.parent / "new")
        said(running, f"runsv new: warning: log: no room in its log-pool, waiting until there is: {NO_MORE_FILES}")
        until(lambda: stat(home / "log") == "down", what="its log is shown as it is")
        running.kill_with_keeper()
        for holder in running.named("holder"):
            os.kill(holder, signal.SIGKILL)
        running.start()
        until(lambda: running.supervises(home, home / "log") and stat(home / "log") == "down", what="it is shown by the next one")
        letter(home / "log", "d")
        until(lambda: status(home / "log")[17:18] == b"d", what="what it wants is shown")
        letter(home / "log", "u")
        resource.prlimit(pool, resource.RLIMIT_NOFILE, limits)
        until(lambda: "line" in text_of(home / "log/main/current"), what="its line is there")
        until(lambda: pid_of(home / "log") == pool and stat(home / "log") == "run", what="it is logged in the same pool")
        assert running.stderr.read_text().count("no room") == 1
        assert running.kill(signal.SIGHUP) == 111


def test_a_runsv_alone_runs_where_files_may_not_be_long(runtime: Path, home: Path, tmp_path: Path) -> None:
    limited = tmp_path / "limited"
    script(limited, f'ulimit -f 8; exec {runtime}/runsv "$@"')  # 4,096 bytes
    with tree(limited, home, tmp_path / "state") as running:
        running.start()
        up(home)
        assert running.kill(signal.SIGTERM) == 0


def test_services_that_a_limit_of_the_length_of_files_has_no_room_for_end_no_other(runtime: Path, tmp_path: Path) -> None:
    """The table has a kilobyte for each service; it grows by 64."""
    homes = [service(tmp_path / f"services/it{number}", "exec sleep 1000") for number in range(70)]
    limited = tmp_path / "limited"
    script(limited, f'ulimit -f 200; exec {runtime}/runsvdir "$@"')  # 102,400 bytes
    with tree(limited, tmp_path / "services", tmp_path / "state") as running:
        running.start()
        told = "fatal: unable to supervise it: file too big\n"
        until(lambda: running.stderr.read_text().count(told) == 7, what="those beyond are told")
        until(lambda: sum(stat(home) == "run" for home in homes) == 63, what="the others run")
        assert running.kill(signal.SIGHUP) == 111


@pytest.mark.parametrize(("limit", "count"), [(64, 8), (128, 24)])
def test_a_hard_limit_of_few_descriptors(runtime: Path, tmp_path: Path, limit: int, count: int) -> None:
    homes = [service(tmp_path / f"services/it{number}", "echo line\nexec sleep 1000", log="exit 1") for number in range(count)]
    for home in homes:
        log_in_pool(home, runtime)
    limited = tmp_path / "limited"
    script(limited, f'ulimit -n {limit}; exec {runtime}/runsvdir "$@"')
    with tree(limited, tmp_path / "services", tmp_path / "state") as running:
        running.start()
        for home in homes:
            until(lambda home=home: "line" in text_of(home / "log/main/current"), what=f"{home.name} is logged")  # type: ignore[misc]
        pids = [up(home) for home in homes]
        until(lambda: pid_of(homes[0] / "log"), what="its logger is shown")
        os.kill(pid_of(homes[0] / "log"), signal.SIGKILL)
        letter(homes[-1], "t")
        until(lambda: text_of(homes[-1] / "log/main/current").count("line") == 2, what="another pool goes on")
        running.kill()
        running.start()
        until(lambda: name(running.pid) == "runsvdir", what="another supervisor")
        letter(homes[0], "t")
        until(lambda: text_of(homes[0] / "log/main/current").count("line") == 2, what="another supervisor goes on")
        until(lambda: sorted(running.supervisors()) == sorted([running.pid, running.keeper()]), what="nobody else supervises")
        assert [pid_of(home) for home in homes[1:-1]] == pids[1:-1]
        assert running.kill(signal.SIGHUP) == 111


def test_no_descriptor_to_be_had_at_any_step_of_taking_a_service(runtime: Path, home: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        up(home)
        limits = resource.prlimit(running.pid, resource.RLIMIT_NOFILE)
        opened = descriptors(running.pid)
        os.kill(running.keeper(), signal.SIGSTOP)
        for more in range(3, 16):
            resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (opened + more, limits[1]))
            made = service(tmp_path / f"new{more}", "echo $$ >>started\nexec sleep 1000", log="exec cat >>all")
            said_before = len(running.stderr.read_text())
            new = made.rename(home.parent / made.name)
            tried(running, new, said_before)
            opened = descriptors(running.pid)
        os.kill(running.keeper(), signal.SIGCONT)
        resource.prlimit(running.pid, resource.RLIMIT_NOFILE, limits)
        for new in home.parent.glob("new*"):
            pid = up(new)
            assert started(new) == [pid]


def tried(running: Tree, home: Path, said_before: int) -> None:
    """Wait until the supervisor has met a service, and taken or refused it, or could not even look for it, which it says once."""

    def is_so() -> bool:
        said = running.stderr.read_text()
        news, last = said[said_before:], said.splitlines()[-1:]
        blind = any(re.search("unable to (open|read) directory", line) for line in (news, *last))
        return blind or (home / "supervise/lock").exists() or f"runsv {home.name}: " in news

    until(is_so, what="it was tried")


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


ERRORS = ("ENFILE", "ENOMEM", "EIO", "ENOSPC", "EROFS")
OPENS = "openat,renameat,unlinkat,mkdirat,pipe2,getdents64"
TALKS = f"echo $$ >>started\n{COUNTS}"


@contextmanager
def failing_calls(pid: int, calls: str, error: str, when: str, trace: Path) -> Iterator[None]:
    """Let calls of a process fail meanwhile, of a pool those of its threads; when: which of them, as strace counts."""
    strace = oracle.program("strace", package="strace")
    fault = ["-e", f"trace={calls}", "-e", f"inject={calls}:error={error}:when={when}"]
    # What the keeper forks is a service.
    threads = ["-f"] if name(pid) == ROLES["pool"] else []
    tracer = subprocess.Popen([strace, *threads, "-qq", "-o", str(trace), *fault, "-p", str(pid)])
    try:
        traced = f"TracerPid:\t{tracer.pid}\n"
        until(lambda: traced in Path(f"/proc/{pid}/status").read_text(), what="it is traced")
        yield
    finally:
        tracer.terminate()
        tracer.wait(DEADLINE)


def process_of(running: Tree, victim: str) -> int:
    if victim == "supervisor":
        return running.pid
    return until(lambda: next((pid for pid in running.processes() if name(pid) == ROLES[victim]), 0), what=f"a {victim}")


def talks(path: Path, runtime: Path) -> Path:
    """Make a service that counts to the pool, into files of some thousand lines, until it finds `stop`."""
    home = service(path, TALKS, log="exit 1")
    log_in_pool(home, runtime, config="s8000\nn0\n")
    return home


def all_is_logged(home: Path) -> None:
    """Let one that talks come to its end: each of its lines is there, once."""
    (home / "stop").touch()
    count = int(until(lambda: text_of(home / "last"), what="it says how many"))
    log = CheckedLog(home / "log/main", lambda number: b"%d" % number)
    until(lambda: log.ends_with(count - 1), what="the last line is logged")
    log.take_all()
    assert log.lines == count


@draws
@pytest.mark.parametrize(
    ("victim", "error"),
    [
        *((victim, error) for victim in ("supervisor", "keeper", "pool") for error in (*ERRORS, "EINTR")),
        ("holder", "ENOMEM"),
    ],
)
def test_calls_that_fail_now_and_then(runtime: Path, home: Path, tmp_path: Path, victim: str, error: str) -> None:
    talker = talks(home.parent / "talks", runtime)
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        up(home)
        until((talker / "log/main/current").exists, what="it is logged")
        # Not epoll_wait, which signals interrupt anyhow: one that strace has taken away and leaves behind fails by ENOSYS.
        calls = OPENS if error != "EINTR" else "openat,read,write,wait4"
        # A holder makes no other call that can fail than to take what it is given.
        calls = "recvmsg" if victim == "holder" else calls
        with failing_calls(process_of(running, victim), calls, error, "1+2", tmp_path / "trace"):
            # A keeper that lacks files or memory makes three vain attempts at each start, as every second of both calls that it takes
            # fails, and five seconds pass after each.
            kills = 1 if victim == "keeper" and error in ("ENFILE", "ENOMEM") else 3
            for _ in range(kills):
                before = len(started(home))
                os.kill(started(home)[-1], signal.SIGKILL)
                until(lambda before=before: len(started(home)) > before, what="it is started again")  # type: ignore[misc]
            new = service(tmp_path / "new", "echo line\nexec sleep 1000", log="exit 1")
            log_in_pool(new, runtime)
            new = new.rename(home.parent / "new")
            if victim == "holder":
                until(lambda: "INJECTED" in text_of(tmp_path / "trace"), what="its call has failed")
        # The call that strace has taken away when it goes fails for good: one that told of a change in the directory, for one.
        (home.parent / ".changed").touch()
        up(new)
        until(lambda: text_of(new / "log/main/current") == "line\n", what="it is logged")
        until(lambda: stat(home) == "run" and pid_of(home) == started(home)[-1], what="the status is right")
        assert [is_alive(process) for process in started(home)] == [False] * kills + [True]
        assert started(talker) == [pid_of(talker)]
        all_is_logged(talker)
        assert running.keeper()


@pytest.mark.parametrize(
    ("victim", "calls", "error"),
    [
        *(("supervisor", OPENS, error) for error in ERRORS),
        *(("supervisor", "renameat", error) for error in ("EIO", "ENOSPC", "EROFS")),
        *(("supervisor", "mkdirat", error) for error in ("ENOSPC", "EROFS")),
        *(("supervisor", "mknodat", error) for error in ("ENOSPC", "EROFS")),
        ("supervisor", "getdents64", "EIO"),
        *((victim, "pwrite64", error) for victim in ("supervisor", "keeper") for error in ("EIO", "ENOSPC", "EROFS")),
        *(("keeper", OPENS, error) for error in ERRORS),
        ("keeper", "clone,clone3,fork,vfork", "ENOMEM"),
        *(("pool", OPENS, error) for error in ERRORS),
        *(("pool", "fsync", error) for error in ("EIO", "ENOSPC")),
        ("pool", "fallocate", "ENOSPC"),
        ("holder", "recvmsg", "ENOMEM"),
    ],
)
def test_calls_that_fail_for_seconds_are_told_with_their_cause(
    runtime: Path, home: Path, tmp_path: Path, victim: str, calls: str, error: str
) -> None:
    """In the tree's log, and not again and again; it is over as soon as the fault is, without a loss."""
    talker = talks(home.parent / "talks", runtime)
    number = getattr(errno, error)
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        until(lambda: list((talker / "log/main").glob("@*.s")), what="it is logged, in more files than one")
        with failing_calls(process_of(running, victim), calls, error, "1+", tmp_path / "trace"):
            os.kill(before, signal.SIGKILL)
            new = service(tmp_path / "new", "echo $$ >>started\necho line\nexec sleep 1000", log="exit 1")
            log_in_pool(new, runtime)
            new = new.rename(home.parent / "new")
            until(lambda: "INJECTED" in text_of(tmp_path / "trace"), what="a call has failed")
            # A holder that a call fails ends, by Python's words; another one takes its place.
            said(running, errors.text(number).decode() if victim != "holder" else os.strerror(number))
            time.sleep(3)  # for which it goes on: what is told, and tried, meanwhile has an end
            count = len(running.stderr.read_text().splitlines())
            assert count < 30, running.stderr.read_text()
            assert text_of(tmp_path / "trace").count("INJECTED") < 500
        (home.parent / ".changed").touch()
        until(lambda: started(home) == [before, up(home)], what="it runs again, once")
        pid = up(new)
        until(lambda: started(new) == [pid], what="the new one runs, once")
        until(lambda: text_of(new / "log/main/current") == "line\n", what="it is logged")
        assert started(talker) == [pid_of(talker)]
        all_is_logged(talker)


def test_a_letter_is_obeyed_though_it_cannot_be_written_down(runtime: Path, home: Path, tmp_path: Path) -> None:
    """Where the disk that the records are mapped from takes nothing, read(2) gives EFAULT, and would do so again at once."""
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        with failing_calls(running.pid, "readv,pwrite64", "EFAULT", "1+", tmp_path / "trace"):
            letter(home, "d")
            until(lambda: stat(home) == "down", what="it is down")
            letter(home, "u")
            until(lambda: started(home) == [before, up(home)], what="it runs again")
            time.sleep(3)  # for which it goes on: what is told, and tried, meanwhile has an end
            assert text_of(tmp_path / "trace").count("INJECTED") < 100
        said(running, "runsv: info: what runs is written down again")
        pid = up(home)
        running.kill_with_keeper()
        running.start()
        until(lambda: running.supervises(home), what="the next one has it")
        assert (stat(home), started(home)) == ("run", [before, pid])


@pytest.mark.parametrize("error", ["ENOBUFS", "ENOMEM"])
@pytest.mark.parametrize("victim", ["supervisor", "keeper"])
def test_what_one_of_the_trees_own_cannot_send_to_the_other_is_sent_later(
    runtime: Path, home: Path, tmp_path: Path, victim: str, error: str
) -> None:
    """That the kernel has no memory for a message is over soon, and no end and no start is lost (sendmsg(2))."""
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        with failing_calls(process_of(running, victim), "sendmsg,sendto", error, "1", tmp_path / "trace"):
            os.kill(before, signal.SIGKILL)
            until(lambda: "INJECTED" in text_of(tmp_path / "trace"), what="a call has failed")
        until(lambda: len(started(home)) > 1, deadline=30, what="it is started again")
        assert started(home) == [before, up(home)]


def test_no_room_for_records(runtime: Path, tmp_path: Path) -> None:
    oracle.root("a small filesystem")
    state, homes = tmp_path / "state", [service(tmp_path / f"services/s{number:02}", "exec sleep 1000") for number in range(40)]
    state.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24k,mode=700", "none", str(state)], check=True)
    try:
        with tree(runtime / "runsvdir", tmp_path / "services", state) as running:
            running.start()
            said(running, "unable to supervise it: out of disk space")
            subprocess.run(["mount", "-o", "remount,size=4m", str(state)], check=True)
            for home in homes:
                up(home)
            running.kill()
            pids = {home: pid_of(home) for home in homes}
            running.start()
            until(lambda: running.supervises(*homes), what="the next runsvdir has them")
            assert {home: pid_of(home) for home in homes} == pids
    finally:
        subprocess.run(["umount", "--lazy", str(state)], check=True)


def test_no_room_for_what_the_loggers_write_down(runtime: Path, tmp_path: Path) -> None:
    oracle.root("a small filesystem")
    state = tmp_path / "state"
    burst = "while [ ! -e go ]; do sleep 0.1; done\nseq -w 1 20000\nexec sleep 1000"
    homes = [service(tmp_path / f"services/s{number}", f"echo $$ >>started\n{burst}", log="") for number in range(3)]
    for home in homes:
        log_in_pool(home, runtime)
    state.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "none", str(state)], check=True)
    try:
        with tree(runtime / "runsvdir", tmp_path / "services", state) as running:
            running.start()
            until(lambda: all(stat(home / "log") == "run" for home in homes), what="all are logged")
            (pool,) = (pid for pid in running.processes() if name(pid) == "log-pool")
            fill(state / "filler")
            late = service(tmp_path / "late", "echo late\nexec sleep 1000", log="")
            log_in_pool(late, runtime)
            for home in homes:
                (home / "go").touch()
            late.rename(tmp_path / "services/late")
            said(running, "pausing: unable to write to journal:")
            (state / "filler").unlink()
            for home in homes:
                until(lambda home=home: text_of(home / "log/main/current").endswith("20000\n"), what="all is logged")  # type: ignore[misc]
                assert text_of(home / "log/main/current").split() == [f"{number:05}" for number in range(1, 20001)]
                assert started(home) == [pid_of(home)]
            until(lambda: text_of(tmp_path / "services/late/log/main/current") == "late\n", what="what came meanwhile is logged")
            assert is_alive(pool)
    finally:
        subprocess.run(["umount", "--lazy", str(state)], check=True)


def fill(path: Path) -> None:
    """Write to `path` until its disk is full."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[Path]:
    """Give a place on a disk whose kernel makes it read-only when it finds an error."""
    path = mount_disk(tmp_path, "-O", "^has_journal", options="loop,errors=remount-ro")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_log_directory_that_may_not_be_written(runtime: Path, tmp_path: Path) -> None:
    oracle.root("runs a tree as somebody to whom files can be closed")
    tmp_path.chmod(0o755)
    place = tmp_path / "user"
    home = service(place / "services/it", "for n in 1 2 3; do echo $n; done\nexec sleep 1000", log="")
    log_in_pool(home, runtime)
    subprocess.run(["chown", "-R", "61008:61008", place], check=True)
    main = home / "log/main"
    main.chmod(0o500)
    script(tmp_path / "start", f'exec setpriv --reuid 61008 --regid 61008 --clear-groups {runtime / "runsvdir"} "$@"')
    with tree(tmp_path / "start", home.parent, place / "state") as running:
        running.start()
        before = up(home)
        said(running, f"{main}: access denied")
        main.chmod(0o700)
        until(lambda: text_of(main / "current") == "1\n2\n3\n", what="all is logged once it may be")
        assert pid_of(home) == before


def test_a_disk_that_becomes_read_only(runtime: Path, failing: Path, tmp_path: Path) -> None:
    home = service(failing / "services/it", f"echo $$ >>{tmp_path}/started\nexec sleep 1000")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        device = failing.stat().st_dev
        name = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve().name
        Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("1")
        os.kill(before, signal.SIGKILL)
        said(running, "runsv it: warning: unable to open supervise/pid.new: read-only file system")
        until(lambda: len(started(tmp_path)) == 2, what="it runs again all the same")
        assert is_alive(started(tmp_path)[-1])
        running.end()


def test_a_clock_that_is_set_back_makes_no_rest_longer(runtime: Path, tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+1000d")
    home = service(tmp_path / "services/it", "echo >>runs; exit 1")
    (home / "max-delay").write_text("30000\n")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.extra = faked(clock)

        def rests() -> int:
            words = [str(runtime / "sv"), "status", str(home)]
            line = subprocess.run(words, env=running.environment(), capture_output=True, text=True, check=False).stdout
            found = re.search(r"next start in (\d+)s", line)
            return int(found[1]) if found else -1

        running.start()
        until(lambda: runs(home) > 3 and rests() >= 4, what="it rests")
        clock.write_text("+0")
        assert 0 <= rests() <= 30
        running.kill()
        running.start()
        until(lambda: running.supervises(home), what="the next runsvdir has it")
        count = runs(home)
        assert rests() <= 30
        until(lambda: runs(home) > count, what="it starts again")


@pytest.mark.long
def test_a_clock_that_jumps(runtime: Path, tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    quick = service(tmp_path / "services/quick", "date +%s >>runs; exit 1")
    resting = service(tmp_path / "services/resting", "echo >>runs; exit 1")
    (resting / "max-delay").write_text("3000\n")
    with tree(runtime / "runsvdir", quick.parent, tmp_path / "state") as running:
        running.extra = faked(clock)
        running.start()
        for jump in ("+0", "+10d", "-10d", "+0"):
            before = {home: runs(home) for home in (quick, resting)}
            clock.write_text(jump)
            for home, count in before.items():
                until(lambda home=home, most=count + 3: runs(home) >= most, what=f"{home.name} runs after {jump}")  # type: ignore[misc]
        times = [int(line) for line in (quick / "runs").read_text().split()]
        assert max(times) - min(times) > 15 * 86400, "the clock jumped"


def test_a_restart_is_waited_for_though_the_clock_was_set_back(runtime: Path, tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+10d")
    home = service(tmp_path / "services/it", "exec sleep 1000")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.extra = faked(clock)
        running.start()
        before = up(home)
        clock.write_text("+0")
        os.kill(running.pid, signal.SIGSTOP)
        assert b"timeout: " in sv(runtime, "-w", "1", "restart", home), "who reads no letter has restarted nothing"
        os.kill(running.pid, signal.SIGCONT)
        assert b"ok: run: " in sv(runtime, "restart", home)
        assert pid_of(home) not in {0, before}


def sv(runtime: Path, *words: str | Path) -> bytes:
    return subprocess.run([runtime / "sv", *words], check=False, stdout=subprocess.PIPE).stdout


def faked(clock: Path) -> dict[str, str]:
    """Give an environment whose programs see the time that a file says."""
    return {
        "LD_PRELOAD": oracle.faketime(),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def runs(home: Path) -> int:
    return len((home / "runs").read_text().splitlines()) if (home / "runs").exists() else 0


def test_a_service_that_the_kernel_kills_for_its_memory(runtime: Path, tmp_path: Path) -> None:
    with control_group(tmp_path.name, "memory", "memory.limit_in_bytes", "memory.max") as (group, limit):
        limit.write_text(str(16 << 20))
        eat = f"echo $$ >{group}/cgroup.procs\nexec python3 -c 'x = bytearray(512 << 20)'"
        home = service(tmp_path / "services/it", f"[ -e fed ] && exec sleep 1000\n{eat}", finish='echo "$1 $2" >>ended')
        with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
            running.start()
            until(lambda: text_of(home / "ended").startswith("-1 9\n"), what="it is killed")
            until(lambda: " signal 9\n" in text_of(home / "supervise/deaths"), what="that is told")
            said(running, "runsv it: warning: killed by signal 9 that runsv did not send (out of memory? the kernel has killed ")
            (home / "fed").touch()
            up(home)


@contextmanager
def control_group(name: str, controller: str, first: str, second: str) -> Iterator[tuple[Path, Path]]:
    """Give a new control group, and the file of its limit, which has another name in each version of control groups.

    It goes at the end, when all that is in it has ended.
    """
    oracle.root("a control group with a limit")
    group, limit = new_group(name, controller, first, second)
    try:
        yield group, limit
    finally:
        until(lambda: not (group / "cgroup.procs").read_text(), what="the group is empty")
        group.rmdir()


@contextmanager
def room_for_processes(runtime: Path, tmp_path: Path) -> Iterator[Path]:
    """Give the file that limits how many processes there are of a runsvdir that TMP/start starts."""
    with control_group(tmp_path.name, "pids", "pids.max", "pids.max") as (group, limit):
        script(tmp_path / "start", f'echo $$ >{group}/cgroup.procs; exec {runtime / "runsvdir"} "$@"')
        yield limit


def new_group(name: str, controller: str, first: str, second: str) -> tuple[Path, Path]:
    """Give it, and the file of its limit."""
    for top, limit in ((Path("/sys/fs/cgroup") / controller, first), (Path("/sys/fs/cgroup"), second)):
        try:
            group = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=top))
        except OSError:
            continue
        if (group / limit).exists():
            return group, group / limit
        group.rmdir()
    oracle.absent(f"no control group for {controller} can be made here")
    raise AssertionError


def test_no_room_for_processes(runtime: Path, home: Path, tmp_path: Path) -> None:
    with room_for_processes(runtime, tmp_path) as limit, tree(tmp_path / "start", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        limit.write_text("1")
        service(tmp_path / "new", "echo $$ >>started\nexec sleep 1000").rename(home.parent / "new")
        said(running, "runsv new: warning: unable to fork, sleeping: temporary failure")
        assert (stat(home), pid_of(home)) == ("run", before)
        os.kill(before, signal.SIGKILL)
        said(running, "runsv it: warning: unable to fork, sleeping: temporary failure")
        until(lambda: stat(home / "../new") == stat(home) != "run", what="sv tells that neither has a process")
        room_since = time.time_ns()
        limit.write_text("max")
        assert started(home) == [before]
        until(lambda: started(home) == [before, up(home)], what="it runs again, once")
        assert wire.unpack(status(home)).since_ns > room_since  # and not since it was asked for
        until(lambda: started(home.parent / "new") == [up(home.parent / "new")], what="so does the new one")


@pytest.mark.parametrize(
    ("victim", "text"),
    [
        ("runsvdir-keeper", "runsvdir: warning: unable to fork keeper: temporary failure, trying again\n"),
        ("runsvdir", "runsvdir: keeper: warning: unable to fork stand-in: temporary failure, trying again\n"),
        ("log-pool", "runsv: warning: unable to start loggers, sleeping: temporary failure\n"),
    ],
)
def test_no_room_for_another_process_of_the_trees_own(runtime: Path, home: Path, tmp_path: Path, victim: str, text: str) -> None:
    logged = service(home.parent / "logged", "exec sleep 1000", log="exit 1")
    log_in_pool(logged, runtime)
    with room_for_processes(runtime, tmp_path) as limit, tree(tmp_path / "start", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        up(logged)
        until((logged / "log/main/current").exists, what="the pool has begun")
        limit.write_text("1")
        if victim == "runsvdir":
            assert running.kill(signal.SIGTERM) == 0
        else:
            (pid,) = (pid for pid in running.processes() if name(pid) == victim)
            os.kill(pid, signal.SIGKILL)
        said(running, text)
        os.kill(before, signal.SIGKILL)
        if victim != "runsvdir":
            until(lambda: stat(home) == "down", what="its end is noticed")
        limit.write_text("max")
        until(lambda: started(home) == [before, up(home)], what="it runs again, once")
        until(lambda: stat(logged / "log") == "run", what="the log runs")
        script(logged / "run", "echo line; exec sleep 1000")
        os.kill(up(logged), signal.SIGKILL)
        until(lambda: "line" in text_of(logged / "log/main/current"), what="its line is there")
        assert running.stderr.read_text().count(text) == 1


def is_removed(directory: Path) -> bool:
    """Remove it, if nobody makes a file there meanwhile."""
    shutil.rmtree(directory, ignore_errors=True)
    return not directory.exists()


def test_a_log_directory_that_is_removed_is_made_anew_and_holds_up_no_end(runtime: Path, tmp_path: Path) -> None:
    home = service(tmp_path / "services/it", "exec yes a line of many", log="exit 1")
    log_in_pool(home, runtime)
    (home / "log/main/config").write_text("s65536\n")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: list((home / "log/main").glob("@*")), what="files are full")
        (home / "log/main").rename(home / "log/gone")
        until(lambda: is_removed(home / "log/gone"), what="it is gone")
        said(running, "svlogd: warning: log directory was removed, ending")
        until(lambda: text_of(home / "log/main/current").endswith("a line of many\n"), what="another one is written")
        until(lambda: stat(home / "log") == "run", what="the log runs")
        assert running.kill(signal.SIGHUP) == 111
        assert "sending KILL" not in running.stderr.read_text()


def test_no_room_for_the_first_process_of_the_trees_own(runtime: Path, home: Path, tmp_path: Path) -> None:
    text = "runsvdir: warning: unable to fork keeper: temporary failure, trying again\n"
    logged = service(home.parent / "logged", "echo $$ >>started\nexec sleep 1000", log="exit 1", control__u="exit 0")
    log_in_pool(logged, runtime)
    with room_for_processes(runtime, tmp_path) as limit, tree(tmp_path / "start", home.parent, tmp_path / "state") as running:
        for number, status in ((signal.SIGTERM, 0), (signal.SIGHUP, 111)):
            limit.write_text("1")
            running.start()
            said(running, text)
            until(lambda: running.supervises(home, logged), what="it supervises")
            assert running.kill(number) == status
            assert running.processes() == []
            running.stderr.unlink()
        running.start()
        said(running, text)
        limit.write_text("max")
        before = [up(home), up(logged)]
        until(lambda: stat(logged / "log") == "run", what="the log runs")
        limit.write_text("1")  # nobody takes the place of who is killed
        for pid in running.supervisors():
            os.kill(pid, signal.SIGKILL)
        until(lambda: not any(map(is_alive, running.supervisors())), what="supervisor and keeper are gone")
        assert running.process is not None
        running.process.wait(DEADLINE)
        running.stderr.unlink()
        running.start()
        said(running, text)
        until(lambda: running.supervises(home, logged), what="it supervises")
        assert [pid_of(home), pid_of(logged)] == before
        letter(home, "d")
        until(lambda: stat(home) == "down", what="what runs can be ended, and make room")
        assert running.kill(signal.SIGHUP) == 111
        assert not any(map(is_alive, before))
        assert running.stderr.read_text().count(text) == 1


def test_a_directory_of_services_that_goes_and_comes(runtime: Path, home: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        home.parent.rename(tmp_path / "away")  # at once: to empty it first would take the service away
        said(running, f"unable to stat {home.parent}: file does not exist")
        assert is_alive(before), "as with runsvdir, what has no place any more goes on until there is another"
        homes = [service(home.parent / name, "echo $$ >>started\nexec sleep 1000") for name in ("it", "late")]
        pids = [up(home) for home in homes]
        until(lambda: not is_alive(before), what="who has no directory any more is ended")
        assert [started(home) for home in homes] == [[pid] for pid in pids]
