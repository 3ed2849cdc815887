"""sv opens nothing by a link in supervise/, which may be a user's while sv is root's; supervise/ itself may be one."""

from __future__ import annotations

import ctypes
import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.programs import Said, run, started
from support.supervised import FakeSupervisor
from support.waiting import DEADLINE

from runit_provision.runtime.wire import status as wire

DOWN = wire.pack(wire.Status(since_ns=0, pid=0, state=wire.DOWN, want=wire.WANT_DOWN))
FILES = ["ok", "status", "control"]


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[FakeSupervisor]:
    """That of the service a."""
    supervisor = FakeSupervisor(tmp_path / "a", DOWN)
    yield supervisor
    supervisor.stop()


def refused(name: str) -> bytes:
    return f"warning: a: unable to open supervise/{name}: symbolic link loop\n".encode()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.usefixtures("supervisor")
def test_a_link_to_a_right_file_is_not_followed(runtime: Path, tmp_path: Path, name: str) -> None:
    file = tmp_path / "a/supervise" / name
    file.rename(tmp_path / name)
    file.symlink_to(tmp_path / name)
    assert run(runtime / "sv", ["up", "a"], env={"SVDIR": str(tmp_path)}) == Said(1, refused(name), b"")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.usefixtures("supervisor")
def test_a_terminal_is_not_opened_by_a_link(runtime: Path, tmp_path: Path, name: str) -> None:
    """One that has been opened, and closed again, tells that it was hung up."""
    master = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
    libc = ctypes.CDLL(None)  # os.openpty() would open the other end
    libc.ptsname.restype = ctypes.c_char_p
    assert libc.unlockpt(master) == 0
    file = tmp_path / "a/supervise" / name
    file.unlink()
    file.symlink_to(libc.ptsname(master).decode())
    # A session's first process that has no terminal would get this one.
    with started([runtime / "sv", "up", "a"], env={"SVDIR": str(tmp_path)}, stdout=-1, start_new_session=True) as process:
        assert process.communicate(timeout=DEADLINE)[0] == refused(name)
    hung_up = select.poll()
    hung_up.register(master, 0)
    assert hung_up.poll(0) == []
    os.close(master)


def test_supervise_may_be_a_link_itself(both: tuple[Path, Path], supervisor: FakeSupervisor, tmp_path: Path) -> None:
    (tmp_path / "a/supervise").rename(tmp_path / "elsewhere")
    (tmp_path / "a/supervise").symlink_to("../elsewhere")
    said = [run(sv, ["up", "a"], env={"SVDIR": str(tmp_path)}) for sv in both]
    assert said == 2 * [Said(0, b"", b"")]
    assert supervisor.received() == b"uu"
