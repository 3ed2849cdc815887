"""Where words go and what becomes of them: the keys of a log that no recipe shows, under C runit and under the shipped runtime.

Those of svlogd's config are seen at work in hosts/recipes/test_logs.py.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

import pytest
from support import oracle, waiting
from support.tour import Tour

SAYS = ["sh", "-c", "printf 'a\\001b%%c\\n%s\\n' \"$(head -c 3000 /dev/zero | tr '\\0' x)\"; exec sleep 1000"]


def written(file: Path) -> bytes:
    """Give what a file holds, nothing while there is none: it is renamed away when it is full."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def current(tour: Tour, directory: str) -> bytes:
    """Give what a log holds, once it holds two lines."""
    file = tour.base / directory / "current"
    waiting.until(lambda: written(file).count(b"\n") >= 2)
    return file.read_bytes()


@pytest.mark.shows("data", "host", "prefix", "runtime")
@pytest.mark.shows("data", "log", "type", "timestamp", "replace", "replace_also", "directory", "mode")
@pytest.mark.shows("data", "service", "log", "timestamp")
def test_each_timestamp_and_what_stands_for_what_is_not_printable(tour: Tour) -> None:
    forms = {
        "none": rb"",
        "tai64n": rb"@[0-9a-f]{24} ",
        "utc": rb"\d{4}-\d\d-\d\d_\d\d:\d\d:\d\d\.\d{5} ",
        "iso": rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{5} ",
    }
    types = ["svlogd", "rsvlog"] if tour.shipped else ["svlogd"]
    kinds = [(form, kind) for form in forms for kind in types]
    log = {"replace": "?", "replace_also": "%"}
    services: dict[str, Any] = {
        f"{form}_{kind}": {"command": SAYS, "log": {**log, "timestamp": form, "type": kind}} for form, kind in kinds
    }
    services["flat"] = {"command": SAYS, "timestamp": False, "log": {"directory": f"{tour.base}/elsewhere", "mode": "0700"}}
    services["blank"] = {"command": SAYS, "log": {"timestamp": "none", "replace": " ", "replace_also": "%"}}
    tour.start({"services": services})
    for form, kind in kinds:
        assert re.match(forms[form] + rb"a\?b\?c\n", current(tour, f"log/{form}_{kind}")), (form, kind)
    assert current(tour, "elsewhere").startswith(b"a\1b%c\n")
    assert (tour.base / "elsewhere").stat().st_mode & 0o777 == 0o700
    assert current(tour, "log/blank").startswith(b"a b c\n")


@pytest.mark.shows("data", "log", "line_length", "buffer", "remote")
@pytest.mark.shows("data", "remote", "address", "only")
def test_patterns_see_as_much_of_a_line_as_was_said_and_so_much_goes_by_udp(tour: Tour) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as alone:
        for one in (sink, alone):
            one.bind(("127.0.0.1", 0))
            one.settimeout(waiting.DEADLINE)
        log = {"line_length": 2000, "buffer": 8192, "timestamp": "none"}
        to, only = ({"address": f"127.0.0.1:{one.getsockname()[1]}"} for one in (sink, alone))
        services = {
            "both": {"command": SAYS, "log": {**log, "remote": to}},
            "only": {"command": SAYS, "log": {**log, "remote": {**only, "only": True}}},
        }
        tour.start({"services": services})
        assert len(current(tour, "log/both").splitlines()[1]) == 3000
        for one in (sink, alone):
            said = b""
            while said.count(b"\n") < 2:
                said += one.recv(65536)
            assert re.search(rb"(?<!x)x{2000}\.\.\.\n", said)
        assert (tour.base / "log/only/current").read_bytes() == b""


@pytest.mark.shows("data", "log", "user", "memory", "env", "processor")
def test_a_logger_runs_as_its_own_account_with_its_environment_and_its_memory(tour: Tour) -> None:
    oracle.root("a logger of another account")
    log = {
        "user": "nobody",
        "env": {"GREETING": "it's me"},
        "processor": 'tr a-z A-Z; echo "$GREETING"',
        "size": 2000,
        "line_length": 99,
    }
    services = {"one": {"command": SAYS, "log": log}, "alone": {"command": SAYS, "log": {**log, "memory": "64m"}}}
    report = tour.apply({"services": services}, others=tour.people("nobody"))
    assert report.ok, report.problems
    tour.supervise()
    for name in services:
        folder = tour.base / "log" / name
        done = waiting.until(lambda folder=folder: sorted(folder.glob("@*.s")))[0]  # type: ignore[misc]
        assert done.read_text().endswith("it's me\n")
        assert "A\1B%C" in done.read_text()
        assert {path.owner() for path in (folder, folder / "current", done)} == {"nobody"}
    logger = waiting.until(lambda: (status := tour.status("sv/alone/log")) and status.pid)
    limits = Path(f"/proc/{logger}/limits").read_text()
    assert re.search(rf"Max data size +{64 << 20} ", limits)
    assert Path(f"/proc/{logger}").owner() == "nobody"


@pytest.mark.shows("data", "log", "run", "type")
@pytest.mark.shows("data", "service", "log")
def test_a_log_of_ones_own_making_and_none_at_all(tour: Tour) -> None:
    own = f"#!/bin/sh\nexec cat >{tour.base}/own\n"
    services = {
        "own": {"command": ["echo", "said"], "restart": "never", "log": {"type": "script", "run": own}},
        "none": {"command": SAYS, "log": False},
        "nothing": {"command": SAYS, "log": "none"},
    }
    tour.start({"services": services})
    waiting.until(lambda: (tour.base / "own").exists() and (tour.base / "own").read_text().startswith("said\n"))
    waiting.until(lambda: tour.runs("sv/none") and tour.runs("sv/nothing"))
    assert not (tour.base / "sv/none/log").exists()
    assert not (tour.base / "sv/nothing/log").exists()


@pytest.mark.shows("data", "service", "log_size", "log_max_files", "log_min_files", "log_rotate_time", "timestamp")
@pytest.mark.shows("data", "log", "size", "keep", "keep_min", "age")
def test_the_original_modules_names_mean_the_same_log(tour: Tour) -> None:
    fill = ["sh", "-c", 'i=0; while [ $i -lt 400 ]; do echo "line $i"; i=$((i + 1)); done; exec sleep 1000']
    flat = {"log_size": 1100, "log_max_files": 2, "log_min_files": 1, "log_rotate_time": "1h", "timestamp": "none"}
    own = {"log": {"size": 1100, "keep": 2, "keep_min": 1, "age": "1h", "timestamp": "none"}}
    tour.start({"services": {"flat": {"command": fill, **flat}, "own": {"command": fill, **own}}})
    for name in ("flat", "own"):
        folder = tour.base / "log" / name
        waiting.until(lambda folder=folder: written(folder / "current").endswith(b"line 399\n"))  # type: ignore[misc]
        waiting.until(lambda folder=folder: len(list(folder.glob("@*.s"))) == 2)  # type: ignore[misc]
    assert (tour.base / "log/flat/config").read_bytes() == (tour.base / "log/own/config").read_bytes()
