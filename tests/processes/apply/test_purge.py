"""Services that nobody's data knows: left alone, or taken away where the data says that nothing else is to be there."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support import oracle, waiting
from support.beneath import end
from support.faults import UNTOUCHED, interrupted
from support.places import Place
from support.trees import ORIGIN, SYSTEM, Unit, grow

from runit_provision import plan
from runit_provision.apply import calls
from runit_provision.model.tree import Directory, File, Node, Origin, Purge, RenderedTree

RUN = "#!/bin/sh\nexec sleep 1000\n"


class Host(Place):
    """A place with services that a hand made, and a runsvdir over them."""

    def hand(self, name: str, *, run: str = RUN, log: bool = False) -> Path:
        """Make a service as people do."""
        place = self.base / "sv" / name
        (place / "log/main").mkdir(parents=True) if log else place.mkdir(parents=True)
        for folder in (place, place / "log") if log else (place,):
            script = folder / "run"
            script.write_text(run if folder == place else "#!/bin/sh\nexec svlogd -tt ./main\n")
            script.chmod(0o755)
        link = self.base / "service" / name
        link.symlink_to(place)
        return place

    def tree(self, *units: Unit, purge: bool = True, logs: bool = False) -> RenderedTree:
        origin = Origin("runit.purge", ORIGIN.mark)
        purges = (Purge(SYSTEM, (f"{self.base}/service",), f"{self.base}/sv", origin),) if purge else ()
        return replace(grow(self.base, units), purges=purges, drops_logs=frozenset({SYSTEM} if logs else ()))

    def up(self, place: Path) -> int:
        """Wait until the service in `place` runs; give its pid."""
        pid = place / "supervise/pid"
        return int(waiting.until(lambda: pid.exists() and pid.read_text().strip(), what=f"{place} up") or 0)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path / "base")
    for name in ("sv", "service"):
        (host.base / name).mkdir(parents=True)
    yield host


@pytest.fixture
def host(place: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """The same, with C's runsvdir."""
    monkeypatch.setattr(calls, "SETTLE", 0.0)
    program = oracle.program("runsvdir", package="runit")
    supervisor = subprocess.Popen([program, str(place.base / "service")], start_new_session=True)
    try:
        yield place
    finally:
        end(supervisor, place.base)


def test_without_purge_what_the_data_does_not_know_is_never_touched(host: Host) -> None:
    other = host.hand("other", log=True)
    pid = host.up(other)
    waiting.until((other / "log/main/current").exists)
    before = host.listing()
    tree = host.tree(Unit("a"), purge=False)
    assert host.apply(tree).ok
    assert host.apply(host.tree(purge=False)).ok
    assert host.listing() == before
    assert host.up(other) == pid


@pytest.mark.shows("data", "host", "purge")
@pytest.mark.shows("data", "user", "purge")
def test_purge_lists_first_what_goes_and_takes_it_down_with_its_directory_but_not_its_logs(host: Host) -> None:
    other = host.hand("other", log=True)
    pid = host.up(other)
    current = other / "log/main/current"
    waiting.until(current.exists)
    tree = host.tree(Unit("a"))
    why = "not in the data, and nothing else is to be here"
    lines = [line.split() for line in plan.describe(host.plan(tree))]
    assert lines[:2] == [
        ["!", f"{host.base}/service/other", "stop:", *why.split()],
        ["-", f"{host.base}/service/other", *f"{why}, not made here, kept: runit.purge (data.yaml:3)".split()],
    ]
    report = host.apply(tree)
    assert report.ok, report.problems
    assert not Path(f"/proc/{pid}").exists()
    assert {path for path in host.listing() if "other" in path} == {f"sv/other{end}" for end in ("", "/log", "/log/main")} | {
        f"sv/other/log/main/{path.name}" for path in (other / "log/main").iterdir()
    }
    assert current.exists()
    assert host.up(host.base / "sv/a")
    assert host.plan(tree).empty


@pytest.mark.shows("data", "host", "purge_logs")
@pytest.mark.shows("data", "user", "purge_logs")
def test_logs_of_services_that_go_go_with_them_where_the_data_says_so(host: Host) -> None:
    waiting.until((host.hand("other", log=True) / "log/main/current").exists)
    assert host.apply(host.tree(Unit("a"), logs=True)).ok
    assert {path.split("/")[1] for path in host.listing() if "/" in path} == {"a"}


def test_the_log_directory_of_a_managed_service_goes_only_where_the_data_says_so(place: Host) -> None:
    logs = place.base / "log"
    service = replace(grow(place.base, [Unit("a")]).services[0], log_directory=f"{logs}/a")
    nodes = [Node(str(logs), Directory(0o755), SYSTEM, None, ORIGIN), Node(f"{logs}/a", Directory(0o755), SYSTEM, None, ORIGIN, "a")]
    nodes.append(Node(f"{logs}/a/config", File(b"s1\n", 0o644), SYSTEM, None, ORIGIN, "a"))
    whole = place.tree(Unit("a"))
    tree = replace(whole, nodes=(*nodes, *whole.nodes), services=(service,))
    written = ["current", "lock", "state", f"@{'0' * 24}.s", f"@{'0' * 24}.u"]
    for drops, left, said in (
        (False, {"log", "log/a", *(f"log/a/{name}" for name in (*written, "notes"))}, ", with the logs in it"),
        (True, {"log", "log/a", "log/a/notes"}, ": it holds what was not made here (notes)"),
    ):
        assert place.apply(tree).ok
        for name in (*written, "notes"):
            (logs / "a" / name).write_text("x")
        keeping = replace(tree, nodes=(nodes[0],), services=(), drops_logs=frozenset({SYSTEM} if drops else ()))
        report = place.apply(keeping)
        assert (report.ok, report.notes) == (True, [f"{logs}/a stays{said}"])
        assert {path for path in place.listing() if path.startswith("log")} == left


def test_rollback_brings_back_what_was_purged_and_starts_it(host: Host) -> None:
    other = host.hand("other")
    (other / "env").mkdir()
    (other / "env/KEY").write_text("value")
    (other / "env/KEY").chmod(0o640)
    host.up(other)
    before = host.listing()
    assert host.apply(host.tree()).ok
    assert not other.exists()
    report = host.rollback()
    assert report.ok, report.problems
    assert host.listing() == before
    assert host.up(other)


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("back", [False, True], ids=["apply again", "rollback"])
def test_killed_at_any_change_of_a_purge_it_is_completed_or_taken_back(place: Host, late: bool, back: bool) -> None:
    for at in itertools.count():
        shutil.rmtree(place.base)
        for name in ("sv", "service"):
            (place.base / name).mkdir(parents=True)
        assert place.apply(place.tree(Unit("a"))).ok
        (place.hand("other") / "env").mkdir()
        (place.base / "sv/other/env/KEY").write_text("value")
        before = place.listing()
        status = interrupted(lambda: place.apply(place.tree(Unit("a"))), at=at, late=late)
        if not back:
            assert place.apply(place.tree(Unit("a"))).ok
            assert not [path for path in place.listing() if "other" in path], at
            assert place.plan(place.tree(Unit("a"))).empty
        elif place.listing() != before:
            assert place.rollback().ok
            assert place.listing() == before, at
        if status == UNTOUCHED:
            break
    assert at > 20


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_killed_at_any_change_of_a_purge_that_takes_logs_as_well_none_is_left(place: Host, late: bool) -> None:
    for at in itertools.count():
        shutil.rmtree(place.base)
        for name in ("sv", "service"):
            (place.base / name).mkdir(parents=True)
        main = place.hand("other", log=True) / "log/main"
        for name in ("current", "lock", f"@{'0' * 24}.s", "config"):
            (main / name).write_text("x")
        status = interrupted(lambda: place.apply(place.tree(logs=True)), at=at, late=late)
        report = place.apply(place.tree(logs=True))
        assert (report.problems, set(place.listing())) == ([], {"sv", "service"}), at
        if status == UNTOUCHED:
            break
    assert at > 20


def test_killed_between_the_link_and_the_end_of_its_supervisor_a_purge_ends_it_the_next_time(host: Host) -> None:
    other = host.hand("other")
    pid = host.up(other)
    for at in itertools.count():
        assert interrupted(lambda: host.apply(host.tree()), at=at, late=True) != UNTOUCHED
        if not (host.base / "service/other").is_symlink():
            break
    assert other.exists()
    assert host.apply(host.tree()).ok
    assert not other.exists()
    assert not Path(f"/proc/{pid}").exists()


def test_a_second_link_to_a_service_of_the_data_goes_alone(place: Host) -> None:
    tree = place.tree(Unit("a"))
    place.apply(tree)
    (place.base / "service/again").symlink_to("../sv/a")
    before = set(place.listing())
    assert place.apply(tree).ok
    assert before - set(place.listing()) == {"service/again"}


def test_of_what_lies_elsewhere_only_the_link_goes(place: Host) -> None:
    elsewhere = place.base / "opt/daemon"
    elsewhere.mkdir(parents=True)
    (elsewhere / "run").write_text(RUN)
    for name, target in (("daemon", elsewhere), ("dangling", "nowhere"), ("loop", "loop")):
        (place.base / "service" / name).symlink_to(target)
    assert place.apply(place.tree()).ok
    assert list((place.base / "service").iterdir()) == []
    assert (elsewhere / "run").exists()


def test_a_directory_in_the_place_of_a_link_stays_and_is_told(place: Host) -> None:
    (place.base / "service/plain").mkdir()
    (place.base / "service/plain/run").write_text(RUN)
    with place.machine() as machine:
        observed = machine.observe(place.tree())
    assert observed.plain == (f"{place.base}/service/plain",)
    assert place.apply(place.tree()).ok
    assert (place.base / "service/plain/run").exists()


def test_a_tree_of_services_ends_with_the_service_that_runs_it(host: Host) -> None:
    inner = host.base / "inner"
    (inner / "deep").mkdir(parents=True)
    (inner / "deep/run").write_text(RUN)
    (inner / "deep/run").chmod(0o755)
    outer = host.hand("outer", run=f"#!/bin/sh\nexec runsvdir {inner}\n")
    host.up(outer)
    pid = host.up(inner / "deep")
    report = host.apply(host.tree())
    assert report.ok, report.problems
    assert not outer.exists()
    waiting.until(lambda: not Path(f"/proc/{pid}").exists(), what="the end of what it ran")


def test_what_only_a_killed_apply_had_started_is_stopped_before_it_goes(host: Host) -> None:
    host.apply(host.tree(Unit("a")))
    for at in range(10, 60):
        interrupted(lambda: host.apply(host.tree(Unit("a"), Unit("c"), purge=False)), at=at, late=True)
        if (host.base / "service/c").is_symlink() and (host.library / "journal").exists():
            break
    else:
        pytest.fail("no kill came between the link and the end")
    pid = host.up(host.base / "sv/c")
    planned = host.plan(host.tree(Unit("a"), purge=False))
    assert [(step.verb.value, step.service.id) for step in planned.stops] == [("stop", "c")]
    assert host.apply(host.tree(Unit("a"), purge=False)).ok
    assert not Path(f"/proc/{pid}").exists()
    assert not (host.base / "sv/c").exists()
