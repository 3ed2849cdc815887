"""A mistake of ours in the handling of one service, or a thread that ends or cannot be had, is said, and ends nothing else."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from support import supervision
from support.supervision import is_alive, log_in_pool, pid_of, service, stat, tree
from support.waiting import until, written

FAULTY = """
import os, sys
sys.path.insert(0, sys.argv.pop(1))
from runit_provision.runtime.shell.service import supervised
from runit_provision.runtime.cli.runsvdir import main

method = sys.argv.pop(1)
right = getattr(supervised.Supervised, method)


def wrong(service, *arguments, **keywords):
    if service.identity.name == b"bad" and os.path.exists("fault"):
        raise LookupError("a mistake")
    return right(service, *arguments, **keywords)


setattr(supervised.Supervised, method, wrong)
sys.exit(main(sys.argv))
"""
SLEEPER = "exec sleep 1000"


@pytest.mark.parametrize("method", ["tell", "flush", "ended", "resume"])
def test_a_mistake_with_one_service_ends_no_other(runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    monkeypatch.chdir(tmp_path)
    homes = {name: service(tmp_path / "services" / name, SLEEPER) for name in ("a", "bad", "c")}
    python = (runtime / "runsvdir").read_text().splitlines()[0].removeprefix("#!").split()[0]
    library = f"{runtime.parent}/lib/runit-provision/current"

    def runs(name: str, *but: int) -> bool:
        pid = pid_of(homes[name])
        return stat(homes[name]) == "run" and is_alive(pid) and pid not in but

    with tree(python, tmp_path / "services", tmp_path / "state", "-IS", "-c", FAULTY, library, method) as running:
        running.start()
        until(lambda: all(runs(name) for name in homes), what="all run")
        before = {name: pid_of(home) for name, home in homes.items()}
        (tmp_path / "fault").touch()
        if method == "resume":
            running.kill()
            running.start()
        for home in homes.values():
            supervision.letter(home, "k")
        until(lambda: "internal error: LookupError: a mistake" in running.stderr.read_text(), what="it is said")
        until(lambda: all(runs(name, before[name]) for name in ("a", "c")), what="the others run again")
        assert running.process is not None
        running.process.send_signal(signal.SIGHUP)
        until(lambda: [stat(homes[name]) for name in ("a", "c")] == ["down", "down"], what="the others end")


FAULTY_POOL = """
import _thread, os, sys
sys.path.insert(0, sys.argv.pop(1))
from runit_provision.runtime.shell.pool import writer
from runit_provision.runtime.cli.runsvdir import main

fault = sys.argv.pop(1)
starts, ready = _thread.start_new_thread, writer.Writer._fifo_ready


def start(*arguments):
    if os.path.exists(f"{fault}/no-thread"):
        raise RuntimeError("can't start new thread")
    return starts(*arguments)


def fifo_ready(self, task, events):
    if os.path.exists(f"{fault}/no-memory"):
        os.unlink(f"{fault}/no-memory")
        raise MemoryError
    ready(self, task, events)


_thread.start_new_thread, writer.Writer._fifo_ready = start, fifo_ready
sys.exit(main(sys.argv))
"""


def test_a_pool_that_loses_a_thread_or_gets_none_loses_no_line(runtime: Path, tmp_path: Path) -> None:
    count = 'i=0; while [ ! -e stop ]; do echo "$i"; i=$((i+1)); sleep 0.01; done; echo "$i" >last; exec sleep 1000'
    counting = service(tmp_path / "services/counting", count, log="exit 1")
    late = service(tmp_path / "late", "echo line; exec sleep 1000", log="exit 1")
    for home in (counting, late):
        log_in_pool(home, runtime)
    python = (runtime / "runsvdir").read_text().splitlines()[0].removeprefix("#!").split()[0]
    library = f"{runtime.parent}/lib/runit-provision/current"

    def logged(home: Path) -> list[str]:
        current = home / "log/main/current"
        return current.read_text().split() if current.exists() else []

    with tree(python, counting.parent, tmp_path / "state", "-IS", "-c", FAULTY_POOL, library, str(tmp_path)) as running:
        running.start()
        until(lambda: logged(counting), what="lines are logged")
        before = pid_of(counting)
        (tmp_path / "no-memory").touch()
        until(lambda: "svlogd: fatal: internal error: MemoryError" in running.stderr.read_text(), what="the end of a thread is said")
        seen = len(logged(counting))
        until(lambda: len(logged(counting)) > seen, what="another pool goes on")
        (tmp_path / "no-thread").touch()
        late = late.rename(counting.parent / "late")
        until(lambda: "late: warning: log: unable to start a thread" in running.stderr.read_text(), what="the lack of one is said")
        (tmp_path / "no-thread").unlink()
        until(lambda: logged(late) == ["line"], what="the late one's line is there once there is room")
        (counting / "stop").touch()
        expected = [str(number) for number in range(int(written(counting / "last")))]
        until(lambda: logged(counting) == expected, what="each line is there, once")
        assert pid_of(counting) == before
