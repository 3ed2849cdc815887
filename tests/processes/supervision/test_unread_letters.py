"""Letters that wait unread when who holds them is killed: none is lost with one of them; how many are with both, a whole run prints.

See README, "Limits".
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import supervision
from support.supervision import Tree, letter, service, stat, tree
from support.waiting import until

ROUNDS = 20 if os.environ.get("HARNESS") == "all" else 1
BURST = 20
"""Letters that wait at a time."""


@pytest.fixture
def running(runtime: Path, tmp_path: Path) -> Iterator[Tree]:
    home = service(tmp_path / "services/it", "exec sleep 1000")
    (home / "control").mkdir()
    for name in "12":
        supervision.script(home / f"control/{name}", f"echo >>got{name}")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as prepared:
        prepared.start()
        until(lambda: stat(home) == "run", what="it runs")
        yield prepared


def got(running: Tree, name: str) -> int:
    path = running.services / "it" / f"got{name}"
    return path.read_text().count("\n") if path.exists() else 0


def strike(running: Tree, *names: str) -> int:
    """Let letters wait, and kill whoever has these names; give how many of them were lost when a later one was acted upon."""
    home = running.services / "it"
    until(
        lambda: running.supervises(home) and [1 for pid in running.processes() if supervision.name(pid) == "fifo-holder"], what="rest"
    )
    before, asked = got(running, "1"), got(running, "2")
    os.kill(running.pid, signal.SIGSTOP)
    for _ in range(BURST):
        letter(home, "1")
    for pid in [pid for pid in running.processes() if supervision.name(pid) in names]:
        os.kill(pid, signal.SIGKILL)
    if "runsvdir" in names:
        running.kill()
        running.start()
    else:
        os.kill(running.pid, signal.SIGCONT)
    until(lambda: running.supervises(home), what="it is supervised")
    letter(home, "2")
    until(lambda: got(running, "2") > asked, what="a later letter is acted upon")
    return BURST - (got(running, "1") - before)


@pytest.mark.parametrize("names", [("runsvdir",), ("fifo-holder",), ("runsvdir", "runsvdir-keeper")], ids="+".join)
def test_no_letter_is_lost_with_one_that_holds_it(running: Tree, names: tuple[str, ...]) -> None:
    assert [strike(running, *names) for _ in range(ROUNDS)] == [0] * ROUNDS


def test_with_both_the_letters_that_come_later_count(running: Tree) -> None:
    lost = [strike(running, "runsvdir", "fifo-holder") for _ in range(ROUNDS)]
    print(f"lost {sum(lost)} of {ROUNDS * BURST} letters that waited when supervisor and holder died at once")
