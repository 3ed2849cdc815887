"""sv status says of a service's files, byte for byte, what C's sv says."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support import compared
from support.programs import Said, run
from support.supervised import FakeSupervisor

from runit_provision.runtime.wire import status as wire

Both = tuple[Path, Path]

STATUSES = st.builds(
    lambda ago, pid, state, want, paused, got_term: wire.pack(
        wire.Status(
            since_ns=time.time_ns() - ago * 10**9, pid=pid, state=state, want=want, paused=bool(pid and paused), got_term=got_term
        )
    ),
    ago=st.sampled_from([-5, 0, 1, 59, 86400, 10**8]),
    pid=st.sampled_from([0, 1, 255, 65536, 4194304]),
    state=st.sampled_from([wire.DOWN, wire.RUN, wire.FINISH]),
    want=st.sampled_from([wire.WANT_UP, wire.WANT_DOWN]),
    paused=st.booleans(),
    got_term=st.booleans(),
)


def agree(both: Both, words: list[str | bytes], *, directory: Path | str, cwd: Path | None = None) -> Said:
    """Hold that both say the same, a second that passes in between apart; give what they say."""
    oracle, ours = both
    env = {"SVDIR": str(directory), "PATH": "/usr/bin:/bin"}
    for _ in range(50):
        before = run(oracle, words, env=env, cwd=cwd)
        said = run(ours, words, env=env, cwd=cwd)
        if run(oracle, words, env=env, cwd=cwd) == before:
            break
    assert said == before
    return said


BYTES = st.builds(
    lambda label, rest, state: label + rest + bytes([state]),
    label=st.binary(min_size=12, max_size=12) | st.just(wire.pack(wire.Status(since_ns=0, pid=0, state=0, want=0))[:12]),
    rest=st.binary(min_size=7, max_size=7),
    state=st.sampled_from([wire.DOWN, wire.RUN, wire.FINISH]),
)
"""What no runsv writes: pids that no kernel gives, times before and after all, other letters than `u` and `d`."""


@pytest.mark.covers("sv", "any 20 bytes")
@pytest.mark.covers("sv", "status")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(status=STATUSES | BYTES, log=st.none() | STATUSES, down=st.booleans())
@example(status=wire.pack(wire.Status(since_ns=0, pid=2**31, state=wire.RUN, want=wire.WANT_UP)), log=None, down=False)
@example(status=wire.pack(wire.Status(since_ns=0, pid=2**32 - 1, state=wire.DOWN, want=wire.WANT_UP)), log=None, down=False)
def test_the_lines_of_any_status(
    both: Both, tmp_path_factory: pytest.TempPathFactory, status: bytes, log: bytes | None, down: bool
) -> None:
    directory = tmp_path_factory.mktemp("sv")
    made = [FakeSupervisor(directory / "a", status)]
    if down:
        (directory / "a/down").touch()
    if log is not None:
        made.append(FakeSupervisor(directory / "a/log", log))
    try:
        assert agree(both, ["status", "a"], directory=directory).code == 0
    finally:
        for each in made:
            each.stop()
    compared.drew(1)


UP = wire.pack(wire.Status(since_ns=0, pid=7, state=wire.RUN, want=wire.WANT_UP))


@pytest.mark.covers("sv", "exit 1")
def test_a_directory_without_supervisor_fails(both: Both, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    said = agree(both, ["status", "a"], directory=tmp_path)
    assert said == Said(1, b"warning: a: unable to open supervise/ok: file does not exist\n", b"")


def test_a_supervisor_that_has_gone_fails(both: Both, tmp_path: Path) -> None:
    FakeSupervisor(tmp_path / "a", UP).stop()
    assert agree(both, ["status", "a"], directory=tmp_path) == Said(1, b"fail: a: runsv not running\n", b"")


@pytest.mark.covers("sv", "a status of 3 bytes")
@pytest.mark.parametrize("content", [b"", b"abc", UP[:19]])
def test_a_status_that_is_too_short_fails(both: Both, tmp_path: Path, content: bytes) -> None:
    supervisor = FakeSupervisor(tmp_path / "a", content)
    said = agree(both, ["status", "a"], directory=tmp_path)
    assert said == Said(1, b"warning: a: unable to read supervise/status: bad format\n", b"")
    supervisor.stop()


def test_a_status_that_is_missing_fails(both: Both, tmp_path: Path) -> None:
    supervisor = FakeSupervisor(tmp_path / "a", None)
    said = agree(both, ["status", "a"], directory=tmp_path)
    assert said == Said(1, b"warning: a: unable to open supervise/status: file does not exist\n", b"")
    supervisor.stop()


def test_a_logger_whose_supervisor_has_gone_fails_beside_its_service(both: Both, tmp_path: Path) -> None:
    supervisor = FakeSupervisor(tmp_path / "a", UP)
    FakeSupervisor(tmp_path / "a/log", UP).stop()
    said = agree(both, ["status", "a"], directory=tmp_path)
    assert said.code == 1
    assert said.out.endswith(b"s; fail: a/log: runsv not running\n")
    supervisor.stop()


def test_a_logger_without_supervise_does_not_get_the_line_of_its_service(both: Both, tmp_path: Path) -> None:
    supervisor = FakeSupervisor(tmp_path / "a", UP)
    (tmp_path / "a/log").mkdir()
    said = run(both[1], ["status", "a"], env={"SVDIR": str(tmp_path)})
    assert said.code == 1
    assert said.out.endswith(b"s; warning: a/log: unable to open supervise/ok: file does not exist\n")
    supervisor.stop()


def test_a_log_that_is_a_file_fails(both: Both, tmp_path: Path) -> None:
    supervisor = FakeSupervisor(tmp_path / "a", UP)
    (tmp_path / "a/log").touch()
    said = agree(both, ["status", "a"], directory=tmp_path)
    assert said.out.endswith(b"s; warning: a/log: unable to change directory: not a directory\n")
    supervisor.stop()


def test_a_file_down_that_nobody_can_look_for_is_complained_of(both: Both, tmp_path: Path) -> None:
    supervisor = FakeSupervisor(tmp_path / "a", UP)
    (tmp_path / "a/down").symlink_to("down")
    said = agree(both, ["status", "a"], directory=tmp_path)
    assert said == Said(0, b"\n", b"warning: unable to stat a/down: symbolic link loop\n")
    for word in ("down", "force-stop"):
        assert agree(both, ["-w", "0", word, "a", "a"], directory=tmp_path).out.count(b": \n") == 2
    supervisor.stop()


@pytest.mark.parametrize("name", [b"nope", b"", b"file", b"with\nnewline", b"\xff\xfe", b"./nope", b"nope/", b"a" * 300])
def test_a_name_that_is_no_directory_fails(both: Both, tmp_path: Path, name: bytes) -> None:
    (tmp_path / "file").touch()
    said = agree(both, ["status", name], directory=tmp_path)
    assert said.code == 1
    assert said.out.startswith(b"fail: " + name + b": unable to change to service directory: ")


@pytest.mark.covers("sv", "names with newlines and invalid UTF-8")
@pytest.mark.parametrize("name", [b"with\nnewline", b"\xff\xfe", b" ", b"-x"])
def test_any_name_that_a_directory_can_have_is_printed_as_it_is(both: Both, tmp_path: Path, name: bytes) -> None:
    supervisor = FakeSupervisor(Path(bytes(tmp_path).decode() + "/") / name.decode(errors="surrogateescape"), UP)
    said = agree(both, ["--", "status", name], directory=tmp_path)
    assert said.out.startswith(b"run: " + name + b": (pid 7) ")
    supervisor.stop()


@pytest.mark.covers("sv", "many services in one call")
@pytest.mark.covers("sv", "exit 99")
def test_many_services_are_told_in_order_and_failures_counted(both: Both, tmp_path: Path) -> None:
    made = [FakeSupervisor(tmp_path / f"s{number}", UP) for number in range(5)]
    words: list[str | bytes] = ["status", "s1", "nope", str(tmp_path / "s0"), "s4", "", "s1"]
    assert agree(both, words, directory=tmp_path).code == 2
    assert agree(both, ["status", *["nope"] * 150], directory=tmp_path).code == 99
    for each in made:
        each.stop()


@pytest.mark.covers("sv", "$SVDIR")
def test_an_empty_svdir_has_no_services(both: Both, tmp_path: Path) -> None:
    said = [run(sv, ["status", "a", "/nope"], env={"SVDIR": ""}, cwd=tmp_path) for sv in both]
    assert said[0] == said[1]


@pytest.mark.covers("sv", "$SVDIR")
def test_a_path_is_relative_to_the_current_directory(both: Both, tmp_path: Path) -> None:
    supervisor = FakeSupervisor(tmp_path / "a", UP)
    said = agree(both, ["status", "./a", "a/", ".", "a"], directory=".", cwd=tmp_path)
    assert said.out.count(b"run: ") == 3
    supervisor.stop()
