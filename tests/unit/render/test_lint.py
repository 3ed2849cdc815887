"""Warnings of what works against supervision; and silence about all that does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.world import ACCOUNTS, example, examples, host_of

from runit_provision import schema
from runit_provision.app.desired import templates
from runit_provision.app.materials import Found
from runit_provision.inputs import Inputs
from runit_provision.render.lint import lint


def warnings(**service: Any) -> list[str]:
    return [str(problem) for problem in lint(host_of({"services": {"a": service}}))]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["/usr/sbin/sshd", "-e"], "sshd forks to the background, where it is not supervised; give it -D or -d"),
        (["nginx"], "nginx forks to the background, where it is not supervised; give it daemon off"),
        (["busybox", "udhcpc", "-i", "eth0"], "udhcpc forks to the background, where it is not supervised; give it -f or --foreground"),
        (["wpa_supplicant", "-Bi", "wlan0"], "wpa_supplicant forks to the background, where it is not supervised; leave -B out"),
        (["/usr/sbin/sshd", "-D"], "sshd writes to syslog: the log gets nothing of it; give it -e"),
        ("prog --flag &", "goes to the background with `&`: what runs there is not supervised; leave the `&` out"),
        (
            "exec prog >>/var/log/prog 2>&1",
            "writes to /var/log/prog: the log gets nothing of it; leave the redirection out, or say `log: false`",
        ),
        ("exec cron", "cron forks to the background, where it is not supervised; give it -f"),
    ],
)
def test_what_works_against_supervision_is_warned_of(command: str | list[str], said: str) -> None:
    assert warnings(command=command) == [f"runit.services.a.command: {said}"]


@pytest.mark.parametrize(
    "service",
    [
        {"command": ["/usr/sbin/sshd", "-De"]},
        {"command": ["/usr/sbin/sshd", "-D"], "log": False},
        {"command": ["nginx", "-g", "daemon off;"]},
        {"command": ["nginx", "-c", "./nginx.conf"], "files": {"nginx.conf": "daemon off;\n"}},
        {"command": "exec prog 2>&1"},
        {"command": "exec prog 2>/dev/null"},
        {"command": "prog && other"},
        {"command": "exec prog >/dev/null", "log": False},
        {"command": "prog <&0 >&2"},
        {"run": "#!/bin/sh\nexec prog \\\n  --flag\n"},
        {"run": "#!/bin/sh\nwhile :; do\n  prog\ndone\n"},
        {"run": "#!/bin/sh\nserve() {\n  exec prog\n}\nserve\n"},
        {"run": "#!/usr/bin/python3\nprog()\n"},
        {"run": "#!/bin/sh\ncat <<EOF\nprog\nEOF\n"},
        {"run": "#!/bin/sh\nsv o .\nprog\n", "one_shot": True},
        {"command": ["nginx"], "ensure": "absent"},
    ],
)
def test_what_is_right_is_left_alone(service: dict[str, Any]) -> None:
    assert warnings(**service) == []


def test_a_script_without_exec_is_warned_of() -> None:
    (said,) = warnings(run="#!/bin/sh\n# starts it\nexec 2>&1\nprog --flag\n")
    assert said.startswith("runit.services.a.run: the last line runs prog without `exec`: signals end the shell, and prog lives on; ")


def test_a_log_whose_stream_is_closed_is_warned_of() -> None:
    (said,) = warnings(command=["prog"], close=["stdout"])
    assert said == "runit.services.a.close: standard output is closed: the log gets nothing of it"


@pytest.mark.parametrize("node", sorted(file.stem for file in (examples() / "facts").iterdir()))
def test_the_examples_give_no_warning(node: str) -> None:
    source = example(node)
    host = schema.read_host(source.resolve().data, ACCOUNTS, materials=Found(Path(source.folder), templates(), Inputs()))
    assert [str(problem) for problem in lint(host)] == []
