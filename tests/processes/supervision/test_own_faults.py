"""A mistake of ours in the handling of one service is said, and ends no other's: put into a running supervisor here."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from support import supervision
from support.supervision import is_alive, pid_of, service, stat, tree
from support.waiting import until

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
