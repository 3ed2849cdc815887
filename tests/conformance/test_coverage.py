"""COVERAGE.md: every option, command, letter, directive and habit of runit's tools, with the scenarios that prove it.

`GOLDEN=write` writes what comes out, to be read before it is committed.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest
from support import manual
from support.agreement import agree
from support.marks import marks

HERE = Path(__file__).parent
PAGE = HERE / "COVERAGE.md"
FOLDERS = ("chpst", "logging", "runit_init", "runsvchdir", "supervision", "sv", "utmpset", "test_version.py")
PROCESSES = ("processes/logging", "processes/supervision")
HEAD = """# What is compared with runit, and where

Written by `GOLDEN=write pytest tests/conformance/test_coverage.py` from the tests' marks `covers`. The rows are the options that C's
programs take when asked, and what their manual pages list; a row without a scenario fails the test. *ours* is what runit 2.1.2 has not.
Below them stands how each tool behaves; where a scenario is in `processes/`, there is nothing of C's to compare with.
"""
OURS = {
    ("chpst", "-C"),
    ("chpst", "as anything"),
    ("chpst", "as denvdir"),
    ("chpst", "as dsoftlimit"),
    ("runit-init", "-V"),
    ("runsvchdir", "$RUNSVDIR"),
    ("runsvdir", "log"),
}
"""What no manual page lists."""
HABITS = {
    "rsvlog": ("the directory from the service's name; configured by the environment; as nsvlog; as the user who owns the directory"),
    "runit-init": "stages 1, 2 and 3; ctrl-alt-del; orphans; an emergency shell without stage 1",
    "runsv": (
        "what a service inherits; run that is missing or not executable; one second before the next start; "
        "finish and its two arguments; a finish that hangs; down; want; paused; status, stat and pid; unknown "
        "letters; log/ with the stdout pipe; letters to log/; exit while the log drains; supervise as a link "
        "to a tmpfs; ENOSPC in supervise/; a FIFO that is a file; a status of 3 bytes; a second supervisor; "
        "an unreadable directory; a directory that vanishes; names with newlines and invalid UTF-8; under C's "
        "runsvdir"
    ),
    "runsvchdir": "current and previous; atomic",
    "runsvdir": (
        "scan; appear; disappear; replaced directory; dot names; more than 1,000 services; another user's "
        "directory; the rolling title; directory events, no poll; a slow poll where there are no events; the "
        "stand-in after TERM; HUP, 111 when all are gone; over what C's has left, and the other way round"
    ),
    "sv": (
        "as an init script; many services in one call; any 20 bytes; a status of 3 bytes; names with newlines "
        "and invalid UTF-8; waits for events; waits where there are no events"
    ),
    "svlogd": (
        "#; several directories; partial lines; old files' names and counts; unfinished .u, .t and .s files; "
        "a processor with its saved state; a full disk; under any supervisor"
    ),
}
BEHAVIOUR = {(tool, habit): place for tool, habits in HABITS.items() for place, habit in enumerate(habits.split("; "))}


@pytest.fixture(scope="module")
def covered(tmp_path_factory: pytest.TempPathFactory) -> dict[manual.Row, list[str]]:
    """Scenarios by (tool, what), as the tests' marks say."""
    found: dict[manual.Row, list[str]] = {}
    folders = [*(f"conformance/{name}" for name in FOLDERS), *PROCESSES]
    for (tool, *what), test in marks("covers", folders, tmp_path_factory.mktemp("covers") / "list"):
        for each in what:
            found.setdefault((tool, each), []).append(test.removeprefix("conformance/"))
    return {row: sorted(set(scenarios)) for row, scenarios in found.items()}


def test_everything_that_runit_can_be_told_has_a_scenario(covered: dict[manual.Row, list[str]], tmp_path: Path) -> None:
    rows = manual.rows(tmp_path)
    assert (rows | BEHAVIOUR.keys()) - covered.keys() == set(), "no scenario"
    assert covered.keys() - rows - OURS - BEHAVIOUR.keys() == set(), "a mark for what no program takes"
    page = [HEAD]
    for tool, group in groupby(sorted(covered, key=lambda row: (row[0], BEHAVIOUR.get(row, -1), row[1])), key=lambda row: row[0]):
        page += [f"## {tool}", "", "| what | scenario |", "| --- | --- |"]
        for row in group:
            name = row[1] if row in BEHAVIOUR else f"`{row[1]}`" if row in rows else f"`{row[1]}` *ours*"
            page.append(f"| {name} | {'<br>'.join(covered[row])} |")
        page.append("")
    text = "\n".join(page)
    agree(PAGE, text)
