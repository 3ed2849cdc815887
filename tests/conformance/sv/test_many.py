"""sv status of many services, which reads the tree's own table where it may: what C's sv says of them, whoever supervises them."""

from __future__ import annotations

import os
import re
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import oracle, supervision
from support.programs import Said, run
from support.supervision import Tree, letter, stat, tree
from support.waiting import until

from runit_provision.runtime.wire import records

COUNT = 60


@pytest.fixture
def running(runtime: Path, tmp_path: Path) -> Iterator[Tree]:
    """A tree of COUNT services of all kinds, most of them down."""
    services = tmp_path / "services"
    for number in range(COUNT):
        folder = supervision.service(
            services / f"s{number:02}", "exec sleep 1000", log="exec cat >/dev/null" if number % 10 == 0 else None
        )
        if number % 5:
            (folder / "down").touch()
    supervision.script(services / "s05/finish", "exec sleep 1000")
    with tree(runtime / "runsvdir", services, tmp_path / "state") as prepared:
        prepared.start()
        until(
            lambda: all(stat(folder) == ("down" if number % 5 else "run") for number, folder in enumerate(listed(services))),
            what="all are there",
        )
        until(lambda: all(stat(folder / "log") == "run" for folder in listed(services)[::10]), what="the logs too")
        yield prepared


def listed(services: Path) -> list[Path]:
    return sorted(services.iterdir())


def status(sv: Path | str, running: Tree, *names: str) -> Said:
    """Give what `sv status` says beside the services, pids left in."""
    environment = {"SVDIR": str(running.services), "RUNIT_PROVISION_STATE": str(running.state), "PATH": "/usr/bin:/bin"}
    said = run(sv, ["status", *names], env=environment, cwd=running.state.parent)
    return said._replace(out=re.sub(rb"\b\d+s\b", b"Ns", said.out))


def names(running: Tree) -> list[str]:
    return [folder.name for folder in listed(running.services)]


def both_say(runtime: Path, running: Tree, *words: str) -> Said:
    """Wait until both say the same, since what was asked for takes its time; give it."""
    c_sv = oracle.program("sv", package="runit")
    said: list[Said] = []

    def same() -> bool:
        said[:] = [status(sv, running, *words) for sv in (c_sv, runtime / "sv")]
        return said[0] == said[1]

    until(same, what="both say the same")
    return said[1]


@pytest.mark.covers("sv", "many services in one call")
def test_services_of_every_state_are_told_the_same(runtime: Path, running: Tree) -> None:
    for name, letters, awaited in (
        ("s00", "p", "run, paused"),
        ("s05", "d", "finish, want down"),
        ("s10", "o", "run, want down"),
        ("s01", "p", "down, paused"),
    ):
        letter(running.services / name, letters)
        until(lambda name=name, awaited=awaited: stat(running.services / name) == awaited, what=awaited)  # type: ignore[misc]
    (running.services / "s15/down").touch()
    (running.services / "s16/down").unlink()
    # What is there, what only seems to be, and what nobody can tell.
    for name, target in (("s20/down", "run"), ("s25/down", "nowhere"), ("s30/log/down", "down")):
        (running.services / name).symlink_to(target)
    said = both_say(runtime, running, *names(running), "nope", str(running.services / "s20"))
    assert said.code == 1
    assert said.out.count(b"\n") == COUNT + 2
    assert said.err == b"warning: unable to stat s30/down: symbolic link loop\n"
    assert b"; run: log: (pid " in said.out
    assert b", normally down\n" in said.out


def traced(runtime: Path, running: Tree, calls: str) -> Said:
    """Give what strace says of `sv status` of all."""
    strace = oracle.program("strace", package="strace")
    environment = {"SVDIR": str(running.services), "RUNIT_PROVISION_STATE": str(running.state), "PATH": "/usr/bin:/bin"}
    return run(strace, ["-e", f"trace={calls}", str(runtime / "sv"), "status", *names(running)], env=environment)


def test_the_table_is_read_and_the_services_are_not(runtime: Path, running: Tree) -> None:
    said = traced(runtime, running, "openat,open")
    assert said.code == 0
    assert b"/records" in said.err
    assert b"supervise/status" not in said.err


def until_no_down_is_noted(running: Tree, *, links: int = 0) -> None:
    """Wait until the table tells which services have no file `down`, and whose log/ is no link: of all logs but `links`."""
    (table,) = running.state.glob("trees/*/records")

    def count() -> tuple[int, int]:
        data = table.read_bytes()
        noted = [
            struct.unpack_from("<q?", data, at + records.NO_DOWN_AT) for at in range(records.SIZE, len(data), records.SIZE) if data[at]
        ]
        return sum(changed > 0 for changed, _ in noted), sum(has_plain_log for _, has_plain_log in noted)

    until(lambda: count() == (COUNT // 5, COUNT // 10 - links), what="where no down is has been noted")


def test_no_down_is_looked_for_where_none_was_and_nothing_changed(runtime: Path, running: Tree) -> None:
    until_no_down_is_noted(running)
    before = both_say(runtime, running, *names(running))
    said = traced(runtime, running, "access,faccessat,faccessat2")
    looked = sorted(set(re.findall(rb'"([^"]*/down)"', said.err)))
    logs = [b"s%02d/log/down" % number for number in range(0, COUNT, 10)]
    assert looked == sorted([*logs, *(b"s%02d/down" % number for number in range(COUNT) if number % 5)])
    running.kill()
    running.start()
    until(lambda: status(runtime / "sv", running, *names(running)).code == 0, what="all are supervised again")
    assert both_say(runtime, running, *names(running)) == before


def test_a_down_that_comes_and_goes_is_seen_at_once(runtime: Path, running: Tree) -> None:
    until_no_down_is_noted(running)
    c_sv = oracle.program("sv", package="runit")
    service, log = running.services / "s05", running.services / "s10/log"

    def lines(path: Path) -> list[bytes]:
        before, after = (status(sv, running, *names(running)).out for sv in (c_sv, runtime / "sv"))
        assert before == after
        return [line for line in after.splitlines() if path.name.encode() in line.split()[1]]

    assert b"normally down" not in lines(service)[0]
    for name in ("s05/down", "s10/down", "s10/log/down"):
        down = running.services / name
        for _ in range(3):
            down.touch()
            line = lines(running.services / name.partition("/")[0])[0]
            assert line.count(b"normally down") == 1
            down.unlink()
            assert lines(running.services / name.partition("/")[0])[0].count(b"normally down") == 0
    # Another log/ takes its place, changed at the same time as the service's directory, and as it was when it was looked at.
    other = log.with_name("other")
    shutil.copytree(log, other, symlinks=True, ignore=shutil.ignore_patterns("supervise"))
    (other / "down").touch()
    (other / "supervise").symlink_to(log.with_name("gone") / "supervise")
    log.rename(log.with_name("gone"))
    other.rename(log)
    assert b"; run: log: (pid " in lines(log.parent)[0]
    assert b"normally down" in lines(log.parent)[0]


def test_a_log_that_is_a_link_to_what_has_gone_is_not_told_of(runtime: Path, running: Tree) -> None:
    log = running.services / "s10/log"
    elsewhere = log.rename(running.services.parent / "elsewhere")
    log.symlink_to(elsewhere)
    running.kill()
    running.start()
    until(lambda: status(runtime / "sv", running, *names(running)).code == 0, what="all are supervised again")
    until_no_down_is_noted(running, links=1)
    assert both_say(runtime, running, *names(running)).out.count(b"; run: log: (pid ") == COUNT // 10
    elsewhere.rename(elsewhere.with_name("gone"))
    assert both_say(runtime, running, *names(running)).out.count(b"; run: log: (pid ") == COUNT // 10 - 1


def test_a_log_that_came_when_the_service_ran_is_told_of(runtime: Path, running: Tree) -> None:
    (running.services / "s01/log").mkdir()
    said = status(runtime / "sv", running, *names(running)).out
    assert status(runtime / "sv", running, "s01").out in said
    assert b"; warning: s01/log: unable to open supervise/ok: file does not exist\n" in said


def test_a_table_of_another_layout_is_not_believed(runtime: Path, running: Tree) -> None:
    (table,) = running.state.glob("trees/*/records")
    with table.open("r+b") as header:
        header.write(b"rprov-X\n")
    said = traced(runtime, running, "openat,open")
    assert said.code == 0
    assert said.err.count(b"supervise/status") >= COUNT


def test_paths_lead_to_the_table_too(runtime: Path, running: Tree) -> None:
    paths = [str(folder) for folder in listed(running.services)]
    assert both_say(runtime, running, *paths).code == 0


@pytest.mark.parametrize("path", ["./services/s03", "services/s03/", "../nope", "./s03"])
def test_a_path_among_names_leads_from_where_the_caller_is(runtime: Path, running: Tree, path: str) -> None:
    said = both_say(runtime, running, path, *names(running))
    assert said.code == (0 if "services" in path else 1)
    assert said.out.count(b"\n") == COUNT + 1


@pytest.mark.parametrize("directory", ["services", "nope", "services/s01/run"])
def test_the_services_directory_may_be_named_from_there_or_be_none(runtime: Path, running: Tree, directory: str) -> None:
    known = names(running)
    running.services = Path(directory)
    said = both_say(runtime, running, *known)
    assert said.code == (0 if directory == "services" else COUNT)


def test_nobody_is_believed_who_has_gone(runtime: Path, running: Tree) -> None:
    pids = running.supervisors()
    for number in (19, 9):
        for pid in pids:
            os.kill(pid, number)
    until(lambda: not any(supervision.is_alive(pid) for pid in pids), what="supervisor and keeper are gone")
    assert b"runsv not running" in both_say(runtime, running, *names(running)).out


def test_a_killed_supervisor_is_followed_by_one_that_knows_the_same(runtime: Path, running: Tree) -> None:
    before = both_say(runtime, running, *names(running))
    running.kill()
    running.start()
    until(lambda: status(runtime / "sv", running, *names(running)).code == 0, what="all are supervised again")
    assert both_say(runtime, running, *names(running)) == before


def test_a_service_that_is_another_directory_now_is_asked_itself(runtime: Path, running: Tree) -> None:
    moved = (running.services / "s00").rename(running.services.parent / "moved")
    shutil.copytree(running.services / "s01", running.services / "s00", symlinks=True, ignore=shutil.ignore_patterns("supervise"))
    said = both_say(runtime, running, *names(running))
    assert said.out.count(b"\n") == COUNT
    assert moved.exists()


def test_a_table_of_somebody_else_is_not_believed(runtime: Path, running: Tree) -> None:
    oracle.root("gives the table to another user")
    (table,) = running.state.glob("trees/*/records")
    os.chown(table, 65534, 65534)
    assert traced(runtime, running, "openat,open").err.count(b"supervise/status") >= COUNT
