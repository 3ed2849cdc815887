"""Homes on a filesystem that its owner lets hang: nobody waits for it for ever, and nobody else's part is left undone."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from support import apart
from support.hanging import hanging
from support.homes import Home
from support.trees import Unit, grow, join

from runit_provision import apply, plan
from runit_provision.host import channel, machine


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "Patience", lambda: channel.Patience(2.0))


def said(report: apply.Report) -> list[list[str]]:
    return [[problem.path, problem.message] for problem in report.problems]


@pytest.mark.parametrize("when", ["before it is looked at", "before it is worked in"])
def test_a_home_that_hangs_fails_alone_and_locks_nobody_out(home: Home, when: str) -> None:
    system = home.base / "system"
    system.mkdir()
    tree = join(grow(system, [Unit("x")]), home.tree())

    def work() -> list[list[list[str]]]:
        if when == "before it is looked at":
            with hanging(home.home, uid=home.user.pw_uid, gid=home.user.pw_gid):
                return [said(home.apply(tree)), said(home.apply(tree))]
        with ExitStack() as later:
            with home.machine() as here, here.lock():
                planned = plan.decide(tree, here.observe(tree))
                later.enter_context(hanging(home.home, uid=home.user.pw_uid, gid=home.user.pw_gid))
                first = said(apply.apply(planned, here))
            return [first, said(home.apply(tree))]

    for each in apart.told(work, mounts=":", deadline=120):
        assert each == [[str(home.home), "nothing moved for 2 s"]]
    assert (system / "service/x").is_symlink()
    assert home.apply(tree).ok
    assert home.plan(tree).empty
    home.unharmed()
