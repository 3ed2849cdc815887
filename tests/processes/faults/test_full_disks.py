"""A disk is full, read-only, closed to us, or its directory goes away: it is said, and over as soon as there is room again."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import oracle
from support.disk import mount_disk
from support.supervision import (
    is_alive,
    log_in_pool,
    name,
    pid_of,
    said,
    script,
    service,
    started,
    stat,
    text_of,
    tree,
    up,
)
from support.waiting import until


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
