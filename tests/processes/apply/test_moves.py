"""A service whose definition, or whose link, is to lie elsewhere: it ends in the one place before it starts in the other."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from support import apart, waiting
from support.beneath import Running
from support.faults import UNTOUCHED, interrupted
from support.trees import Unit, grow

from runit_provision.model.plan import Verb
from runit_provision.model.tree import Entry, Link, RenderedTree

ALL = os.environ.get("HARNESS") == "all"
RUN = """#!/bin/sh
echo start >>{base}/told
trap 'kill -9 $!; echo end >>{base}/told; exit' TERM
while :; do sleep 1000 & wait $!; done
"""


def here(base: Path) -> RenderedTree:
    return grow(base, [Unit("a", run=RUN.format(base=base).encode())])


def there(base: Path, name: str) -> RenderedTree:
    """The same with the folder `name`, of `sv` and `service`, under another name."""
    tree = here(base)

    def moved(path: str) -> str:
        return path.replace(f"{base}/{name}", f"{base}/other", 1)

    def led(entry: Entry) -> Entry:
        return Link(moved(entry.target)) if isinstance(entry, Link) else entry

    nodes = tuple(replace(node, path=moved(node.path), entry=led(node.entry)) for node in tree.nodes)
    services = tuple(replace(each, directory=moved(each.directory), link=moved(each.link or "")) for each in tree.services)
    return replace(tree, nodes=nodes, services=services)


def told(running: Running) -> list[str]:
    """What it said, once it runs."""
    path = running.base / "told"
    waiting.until(lambda: path.exists() and len(path.read_text().split()) % 2, what="a start")
    return path.read_text().split()


def once(times: int) -> list[str]:
    """What a service says that started so often, and never before it had ended."""
    return [*["start", "end"] * (times - 1), "start"]


def test_it_ends_where_it_was_before_it_starts_where_it_is_to_be(running: Running) -> None:
    assert running.apply(here(running.base)).ok
    assert told(running) == once(1)
    report = running.apply(there(running.base, "sv"))
    assert report.ok, report.problems
    assert [(call.verb, call.reason) for call in report.calls] == [
        (Verb.STOP, f"moves to {running.base}/other/a"),
        (Verb.START, "new"),
    ]
    assert told(running) == once(2)
    assert not (running.base / "sv/a").exists()
    assert running.plan(there(running.base, "sv")).empty
    assert running.rollback().ok
    assert told(running) == once(3)
    assert running.pid("a")
    assert running.plan(here(running.base)).empty


def test_where_nobody_looks_after_its_new_place_it_is_down_when_apply_returns_and_up_after_a_rollback(running: Running) -> None:
    assert running.apply(here(running.base)).ok
    assert told(running) == once(1)
    report = running.apply(there(running.base, "service"))
    assert (report.ok, [call.verb for call in report.calls]) == (True, [Verb.STOP])
    assert (running.base / "told").read_text().split() == ["start", "end"]
    assert running.rollback().ok
    assert told(running) == once(2)


def struck(running: Running, at: int) -> int:
    """Move the service, killed at one change; then move it, or, on every second strike, take that back."""
    one, two = here(running.base), there(running.base, "sv")
    assert running.apply(one).ok  # the first time
    before = len(told(running))
    status = interrupted(lambda: running.apply(two), at=at)
    begun = (running.library / "journal").exists()  # else it is the apply before that a rollback would undo
    report = running.rollback() if at % 2 and begun else running.apply(two)
    assert report.ok, report.problems
    said = told(running)
    assert said == once(len(said) // 2 + 1), f"killed at {at}"
    assert len(said) - before in (0, 2, 4)
    assert running.apply(two).ok
    assert running.plan(two).empty
    assert not (running.base / "sv/a").exists()
    assert running.apply(one).ok
    return status


@pytest.mark.parametrize("runsvdir", ["C runit", "the shipped runtime"] if ALL else ["the shipped runtime"], indirect=True)
def test_killed_at_many_changes_it_never_runs_twice_and_is_never_lost(several: list[Running]) -> None:
    numbers = itertools.count(1, 1 if ALL else 7)
    statuses: list[int] = []
    while UNTOUCHED not in statuses:
        works = [partial(struck, place, next(numbers)) for place in several]
        statuses = [apart.given(beside, deadline=200) for beside in [apart.begun(work) for work in works]]
