"""The way back, from what was written down and what there is now."""

from __future__ import annotations

import pytest
from support.trees import ORIGIN, SYSTEM

from runit_provision.model.observed import Intent, Journal, Kind, Manifest, Observed, Seen
from runit_provision.model.plan import Found
from runit_provision.model.tree import Effect
from runit_provision.plan import undo

OLD, NEW, EDITED = (Seen(Kind.FILE, 0o755, 0, 0, 3, digest) for digest in ("old", "new", "edited"))


def undone(*, before: Seen | None, after: Seen | None, now: Seen | None, kept: bool, whole: bool = True) -> tuple[object, ...]:
    """What becomes of one path: change, what it becomes, whose work is replaced; and what is lost."""
    name = "k" if before else ""
    journal = Journal(
        "j", "apply", (Intent("/b/run", SYSTEM, before, after, after, name, "", "a", Effect.RESTART, False, ORIGIN, False, False),), ()
    )
    there = Observed(
        paths={"/b/run": now} if now else {}, owners={}, lives={}, manifest=Manifest(), kept=frozenset({"k"} if kept else set())
    )
    plan = undo(journal, Manifest(), there, whole=whole)
    return (*((step.change.value, step.after, step.found) for step in plan.steps), *plan.lost)


@pytest.mark.parametrize(
    ("now", "whole", "back"),
    [
        (NEW, True, [("~", OLD, Found.OURS)]),
        (NEW, False, [("~", OLD, Found.OURS)]),
        (None, True, [("+", OLD, Found.NOTHING)]),
        (EDITED, True, [("~", OLD, Found.EDITED)]),
        (EDITED, False, []),
        (OLD, True, []),
    ],
)
def test_what_was_replaced_comes_back_and_what_a_hand_did_during_a_killed_apply_stays(
    now: Seen | None, whole: bool, back: list[tuple[object, ...]]
) -> None:
    assert undone(before=OLD, after=NEW, now=now, kept=True, whole=whole) == tuple(back)


@pytest.mark.parametrize(
    ("after", "now", "back"),
    [
        (NEW, NEW, [("-", None, Found.OURS), "/b/run"]),
        (NEW, None, ["/b/run"]),
        (NEW, EDITED, ["/b/run"]),
        (None, None, ["/b/run"]),
        (NEW, OLD, []),
    ],
)
def test_what_a_hand_took_away_before_it_was_kept_is_told_and_what_was_made_in_its_place_goes(
    after: Seen | None, now: Seen | None, back: list[object]
) -> None:
    assert undone(before=OLD, after=after, now=now, kept=False) == tuple(back)
