"""Whether somebody looks after a directory: told from the processes that see the same files, not from those of a container."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
from support import oracle, waiting

from runit_provision.host.processes import by_account, named_by_runsvdirs


@pytest.mark.parametrize("apart", [False, True], ids=["on this host", "in a container"])
def test_a_runsvdir_counts_only_where_it_sees_the_same_files(tmp_path: Path, apart: bool) -> None:
    oracle.root("mounts")
    program = oracle.program("runsvdir", package="runit")
    service = tmp_path / "service"
    service.mkdir()
    words = ["unshare", "-m"] if apart else []
    supervisor = subprocess.Popen([*words, program, str(service)])
    try:
        name = Path(f"/proc/{supervisor.pid}/comm")
        waiting.until(lambda: name.read_text() == "runsvdir\n")
        assert (str(service) in named_by_runsvdirs([supervisor.pid])) is not apart
        assert supervisor.pid in by_account()[0]
    finally:
        supervisor.send_signal(signal.SIGHUP)
        supervisor.wait(waiting.DEADLINE)
