"""Services in a table."""

from __future__ import annotations

import re

import pytest

from runit_provision.app.living import Living
from runit_provision.cli.output import Format, Output
from runit_provision.cli.tables import show_table
from runit_provision.model.observed import Life
from runit_provision.model.tree import Ensure, OnChange, Origin, Realm, ServiceTree

NOW = 1_800_000_000.0


def service(name: str, **changes: object) -> ServiceTree:
    values = {
        "id": name,
        "realm": Realm(None, "/"),
        "directory": f"/etc/sv/{name}",
        "link": f"/etc/service/{name}",
        "logged": True,
        "log_directory": None,
        "ensure": Ensure.RUNNING,
        "enabled": True,
        "one_shot": False,
        "on_change": OnChange.RESTART,
        "origin": Origin(f"runit.services.{name}"),
    }
    return ServiceTree(**(values | changes))  # type: ignore[arg-type]


def life(ago: float, **changes: object) -> Life:
    values = {"supervised": True, "running": True, "want_up": True, "pid": 7, "since": int((NOW - ago) * 1e9)}
    return Life(**(values | changes))  # type: ignore[arg-type]


UP = Living(service("web"), life(0.5), life(0.5))
GAVE_UP = Living(service("[bold]"), life(200, running=False, want_up=False, pid=0), life(200))
GONE = Living(service("cron", logged=False), Life(), Life())
ONCE = Living(service("prepare", one_shot=True), life(90000 * 2, running=False, pid=0), life(1, running=False, pid=0))


def test_a_row_tells_state_pid_age_log_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    show_table([UP, GAVE_UP, GONE, ONCE], Output(form=Format.TEXT, color=False), now=NOW)
    assert capsys.readouterr().out.splitlines() == [
        "service  state           pid  for    log",
        "web      up              7    0 s    up",
        "[bold]   down            -    3 min  up    wanted down",
        "cron     not supervised  -    0 s    -",
        "prepare  down            -    2 d    down  one-shot",
    ]


def test_with_colours_it_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    show_table([UP, GAVE_UP, GONE, ONCE], Output(form=Format.TEXT, color=False), now=NOW)
    plain = capsys.readouterr().out.split()
    show_table([UP, GAVE_UP, GONE, ONCE], Output(form=Format.TEXT, color=True), now=NOW)
    colored = capsys.readouterr().out
    assert "\x1b[32m" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored).split() == plain
