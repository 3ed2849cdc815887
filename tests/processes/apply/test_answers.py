"""What an account puts into its home fills no memory of the one who applies: it is bounded, told, and nobody else's is held up."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import pytest
from support.homes import Home
from support.trees import ORIGIN, Unit, grow, join

from runit_provision.host import channel, looks, observe, processes, strays
from runit_provision.model.tree import Effect, Purge, RenderedTree


def both(home: Home, *, purge: bool = False) -> RenderedTree:
    """The home's tree, and one of the system's beside it."""
    (home.base / "system").mkdir(exist_ok=True)
    purges = (Purge(home.realm, (f"{home.home}/service",), f"{home.home}/sv", ORIGIN),) if purge else ()
    return replace(join(grow(home.base / "system", [Unit("x")]), home.tree()), purges=purges)


def litter(home: Home, number: int, name: str = "stray") -> None:
    """Put links into the service directory that nobody's data knows."""
    home.user_does((home.home / "service").mkdir)
    for count in range(number):
        (home.home / "service" / f"{name}{count}").symlink_to("nowhere")


def hoard(home: Home, name: str, *, files: int, links: int) -> None:
    """Make a service with so many files, and so many links to it."""
    (home.home / "sv" / name).mkdir()
    for number in range(files):
        (home.home / "sv" / name / str(number)).touch()
    for number in range(links):
        (home.home / "service" / f"{name}{number}").symlink_to(f"../sv/{name}")


def refused(home: Home, *, purge: bool = False) -> list[str]:
    """Apply; give what is told of the home, once all else is done."""
    report = home.apply(both(home, purge=purge))
    assert (home.base / "system/service/x").is_symlink()
    assert not (home.home / "sv/a").exists()
    return [f"{problem.path.removeprefix(str(home.base))}: {problem.message}" for problem in report.problems]


def test_of_much_that_an_account_wrote_only_some_is_shown_and_all_is_made_good(home: Home) -> None:
    edited = {f"file{number:03}": (b"as it was\n", Effect.NOTHING) for number in range(100)}
    tree = home.tree(Unit("a", files=edited))
    home.apply(tree)
    for name in edited:
        (home.home / "sv/a" / name).write_bytes(b"\xff" * looks.SHOWN)
    plan = home.plan(tree)
    assert len(plan.writes) == 100
    shown = [len(step.old) for step in plan.writes if step.old]
    assert looks.ADDED <= sum(shown) <= looks.ADDED + 2 * looks.SHOWN
    assert home.apply(tree).ok
    assert {(home.home / "sv/a" / name).read_bytes() for name in edited} == {b"as it was\n"}


def test_what_all_accounts_wrote_is_shown_up_to_a_limit(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "_ADDED", 1000)
    edited = {f"file{number}": (b"as it was\n", Effect.NOTHING) for number in range(10)}
    tree = home.tree(Unit("a", files=edited))
    home.apply(tree)
    for name in edited:
        (home.home / "sv/a" / name).write_bytes(b"x" * 310)
    assert [step.old is not None for step in home.plan(tree).writes] == [True] * 3 + [False] * 7


def test_what_takes_too_long_an_answer_is_refused_alone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "LARGEST", 5000)
    litter(home, 50)
    assert refused(home, purge=True) == ["/home: there is too much in it to be looked at"]


def test_an_answer_longer_than_any_of_ours_ends_who_gave_it(monkeypatch: pytest.MonkeyPatch) -> None:
    line = channel.Channel()
    os.write(line.theirs[1], (channel.LARGEST + 1).to_bytes(4, "little") + b"{}")
    line.hand_over()
    with pytest.raises(EOFError):
        line.answer(time.monotonic() + 60)
    line.close()


def test_what_takes_too_much_memory_to_look_at_is_refused_alone(home: Home) -> None:
    litter(home, 12_000, "x" * 240)
    # In a process of its own: what earlier tests have left free in this one would not count for the limit.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        report = process.submit(home.apply_with_children_of, 4 << 20, both(home, purge=True)).result()
    assert (home.base / "system/service/x").is_symlink()
    assert not (home.home / "sv/a").exists()
    assert [problem.message for problem in report.problems] == ["there is too much in it to be looked at"]


def test_more_unknown_services_than_anybody_has_are_refused_alone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "_UNKNOWN", 9)
    litter(home, 10)
    assert refused(home, purge=True) == ["/home: more than 9 paths that the data does not know"]
    (home.home / "service/stray0").unlink()
    assert home.apply(both(home, purge=True)).ok
    assert [path.name for path in sorted((home.home / "service").iterdir())] == ["a", "b"]


def test_however_many_links_lead_to_a_directory_it_is_looked_at_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strays, "TOGETHER", 50)
    home.apply(home.tree())
    home.user_does(lambda: hoard(home, "big", files=45, links=20))
    tree = both(home, purge=True)
    assert len([step for step in home.plan(tree).removals if "/sv/big/" in step.path]) == 45
    assert home.apply(tree).ok
    assert ({path.name for path in (home.home / "service").iterdir()}, (home.home / "sv/big").exists()) == ({"a", "b"}, False)


def test_of_services_with_more_than_can_be_looked_at_only_the_links_go(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strays, "TOGETHER", 50)
    home.apply(home.tree())
    for name in ("one", "two", "three"):
        home.user_does(lambda name=name: hoard(home, name, files=27, links=1))  # type: ignore[misc]
    assert home.apply(both(home, purge=True)).ok
    assert {path.name for path in (home.home / "service").iterdir()} == {"a", "b"}
    assert {path.name for path in (home.home / "sv").iterdir()} == {"a", "b", "three", "two"}


def test_of_the_many_names_that_keep_a_directory_few_are_told(home: Home) -> None:
    home.apply(home.tree())
    for number in range(20):
        (home.home / "sv/a" / f"own{number:02}").touch()
    report = home.apply(home.tree(Unit("b")))
    assert report.notes == [f"{home.home}/sv/a stays: it holds what was not made here (own00, own01, own02)"]


def test_however_long_a_command_line_is_its_beginning_is_read() -> None:
    code = "import time; print(flush=True); time.sleep(1000)"
    with subprocess.Popen([sys.executable, "-c", code, *["x" * 100_000] * 10], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            words = processes.words(process.pid)
        finally:
            process.kill()
    assert words[1:3] == [b"-c", code.encode()]
    assert sum(map(len, words)) < 10_000
