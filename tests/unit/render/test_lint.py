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
        (["busybox", "httpd", "-p", "80"], "httpd forks to the background, where it is not supervised; give it -f"),
        (
            ["redis-server", "--daemonize", "yes"],
            "redis-server forks to the background, where it is not supervised; leave --daemonize out",
        ),
        ("exec sudo -u app prog", "sudo starts it and leaves it, or stands between it and its signals; take `user` instead"),
        (["pg_ctl", "start"], "pg_ctl starts it and leaves it, or stands between it and its signals; take postgres itself instead"),
        ("prog --flag &", "goes to the background with `&`: what runs there is not supervised; leave the `&` out"),
        (
            "exec prog >>/var/log/prog 2>&1",
            "writes to /var/log/prog: the log gets nothing of it; leave the redirection out, or say `log: false`",
        ),
        ("exec cron", "cron forks to the background, where it is not supervised; give it -f"),
        ("mkdir -p /run/x; prog", "runs prog without `exec`: signals end the shell, and prog lives on; write `exec` before it"),
        ("cd /srv && prog", "runs prog without `exec`: signals end the shell, and prog lives on; write `exec` before it"),
        ("A=2 prog", "runs prog without `exec`: signals end the shell, and prog lives on; write `exec` before it"),
        (["sh", "-c", "prog"], "runs prog without `exec`: signals end the shell, and prog lives on; write `exec` before it"),
        (
            "prog | tee copy",
            "ends in a pipe: signals end the shell that waits for it, and its programs live on; "
            "leave the pipe out; `log` has filters and a processor",
        ),
        ("prog & # later", "goes to the background with `&`: what runs there is not supervised; leave the `&` out"),
        (["/bin/sh", "-ec", "prog &"], "goes to the background with `&`: what runs there is not supervised; leave the `&` out"),
        ("cd /; exec nginx", "nginx forks to the background, where it is not supervised; give it daemon off"),
        (
            "exec >/var/log/prog 2>&1; exec prog",
            "writes to /var/log/prog: the log gets nothing of it; leave the redirection out, or say `log: false`",
        ),
    ],
)
def test_what_works_against_supervision_is_warned_of(command: str | list[str], said: str) -> None:
    assert warnings(command=command) == [f"runit.services.a.command: {said}"]


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ("# starts it\nexec 2>&1\nprog --flag\n", "runs prog without `exec`: signals end the shell, and prog lives on"),
        ("if x; then\n  y\nfi\nprog\n", "runs prog without `exec`: signals end the shell, and prog lives on"),
        ("prog &\nwait\n", "waits for what it put into the background: signals end the shell, and that lives on"),
        ("exec >>/var/log/prog\nexec prog\n", "writes to /var/log/prog: the log gets nothing of it"),
        ("cd /\nexec 2>&1\nexec nginx\n", "nginx forks to the background, where it is not supervised"),
        (
            "prog |\n  while read -r x; do y; done\n",
            "ends in a pipe: signals end the shell that waits for it, and its programs live on",
        ),
    ],
)
def test_what_a_whole_script_does_against_supervision_is_warned_of(run: str, said: str) -> None:
    (warned,) = warnings(run=f"#!/bin/sh\n{run}")
    assert warned.startswith(f"runit.services.a.run: {said}; ")


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ({"before": "cd /srv\nexec other -x"}, "before: `exec other -x` ends what it stands in: the command never runs; leave it out"),
        (
            {"instances": ["x"], "command": ["prog", "$INSTANCE"]},
            "command: holds $INSTANCE as it stands: no shell reads it; write a line instead of a list",
        ),
        (
            {"instances": ["x"], "lock": "/run/${INSTANCE}"},
            "lock: holds $INSTANCE as it stands: no shell reads it; do it in `before`",
        ),
        ({"before": "exit 0"}, "before: `exit 0` ends what it stands in: the command never runs; leave it out"),
        (
            {"before": "exec >/var/log/prog"},
            "command: writes to /var/log/prog: the log gets nothing of it; leave the redirection out, or say `log: false`",
        ),
    ],
)
def test_lines_before_and_after_that_do_not_do_what_they_say_are_warned_of(service: dict[str, Any], said: str) -> None:
    assert warnings(**{"command": ["prog"], **service}) == [f"runit.services.a.{said}"]


@pytest.mark.parametrize(
    "service",
    [
        {"command": ["/usr/sbin/sshd", "-De"]},
        {"command": ["/usr/sbin/sshd", "-D"], "log": False},
        {"command": ["nginx", "-g", "daemon off;"]},
        {"command": ["nginx", "-c", "./nginx.conf"], "files": {"nginx.conf": "daemon off;\n"}},
        {"command": "exec prog 2>&1"},
        {"command": "exec prog 2>/dev/null"},
        {"command": "prog && exec other"},
        {"command": 'prog $(id -u) "$HOME"'},
        {"command": ["sh", "-c", "trap : TERM; echo ready; while :; do sleep 1; done"]},
        {"command": ["bash", "-c", 'exec "$0"', "prog"]},
        {"command": "exec 3>/var/run/x; exec prog"},
        {"command": ["prog"], "before": "[ -e x ] || exit 1\nexec 2>&1"},
        {"command": ["prog"], "before": "mkdir -p $DATA", "env": {"DATA": "/srv"}},
        {"command": ["prog"], "before": "mkdir $INSTANCE", "instances": ["x"]},
        {"command": 'prog "$INSTANCE"', "instances": ["x"]},
        {"command": ["sh", "-c", 'exec prog "$INSTANCE"'], "instances": ["x"]},
        {"command": "exec prog >/dev/null", "log": False},
        {"command": "prog <&0 >&2"},
        {"run": "#!/bin/sh\nexec prog \\\n  --flag\n"},
        {"run": "#!/bin/sh\nwhile :; do\n  prog\ndone\n"},
        {"run": "#!/bin/sh\nserve() {\n  exec prog\n}\nserve\n"},
        {"run": "#!/bin/sh\ntrap 'kill $!' TERM\nprog &\nwait\n"},
        {"run": "#!/usr/bin/python3\nprog()\n"},
        {"run": "#!/bin/sh\ncat <<EOF\nprog\nEOF\n"},
        {"run": "#!/bin/sh\nsv o .\nprog\n", "one_shot": True},
        {"command": ["nginx"], "ensure": "absent"},
    ],
)
def test_what_is_right_is_left_alone(service: dict[str, Any]) -> None:
    assert warnings(**service) == []


def test_a_log_whose_stream_is_closed_is_warned_of() -> None:
    (said,) = warnings(command=["prog"], close=["stdout"])
    assert said == "runit.services.a.close: standard output is closed: the log gets nothing of it"


@pytest.mark.parametrize("node", sorted(file.stem for file in (examples() / "facts").iterdir()))
def test_the_examples_give_no_warning(node: str) -> None:
    source = example(node)
    host = schema.read_host(source.resolve().data, ACCOUNTS, materials=Found(Path(source.folder), templates(), Inputs()))
    assert [str(problem) for problem in lint(host)] == []


def test_what_requires_a_service_that_is_to_be_stopped_is_warned_of() -> None:
    services = {"a": {"command": ["prog"], "requires": ["b"]}, "b": {"command": ["prog"], "ensure": "stopped"}}
    said = [str(problem) for problem in lint(host_of({"services": services}))]
    assert said == ["runit.services.a.requires: requires b, which is to be stopped: it never starts"]
