"""Which key of the data a plan names where many of them make one file."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from support.world import tree_of

from runit_provision.model.observed import Kind, Manifest, Observed, Record, Seen
from runit_provision.model.tree import File
from runit_provision.plan import decide

RUN = "/etc/sv/a/run"
BEFORE: dict[str, Any] = {
    "command": ["worker", "-x"],
    "user": "app",
    "groups": ["audio"],
    "limits": {"files": 512, "stack": "8m"},
    "umask": "027",
    "directory": "/srv",
    "nice": 5,
    "env": {"A": "1 "},
    "env_directories": ["/etc/a"],
    "before": "true",
    "requires": ["db"],
    "stderr": "supervisor",
}


def named(now: dict[str, Any]) -> tuple[str, str]:
    """The reason and the key that a plan gives for `run` on a host where it was BEFORE and is to be as the data say `now`."""
    before, after = (
        tree_of({"services": {"db": {"command": ["db"]}, "cache": {"command": ["cache"]}, "a": data}}) for data in (BEFORE, now)
    )
    (node,) = (node for node in before.nodes if node.path == RUN)
    assert isinstance(node.entry, File)
    content = node.entry.content
    seen = Seen(Kind.FILE, node.entry.mode, 0, 0, len(content), hashlib.sha256(content).hexdigest())
    manifest = Manifest({RUN: Record(seen, node.realm, node.service, node.effect, node.live)}, {})
    owners = {(node.realm, node.owner): (0, 0) for node in after.nodes}
    observed = Observed(paths={RUN: seen}, owners=owners, lives={}, manifest=manifest, contents={RUN: content})
    (step,) = (step for step in decide(after, observed).steps if step.path == RUN)
    return step.reason, step.origin.key.removeprefix("runit.services.a").removeprefix(".")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"command": ["worker"]}, "command"),
        ({"user": "apprun1"}, "user"),
        ({"groups": ["video"]}, "groups"),
        ({"limits": {"files": 511, "stack": "8m"}}, "limits.files"),
        ({"limits": {"files": 512, "stack": "9m"}}, "limits.stack"),
        ({"umask": "022"}, "umask"),
        ({"directory": "/srv/a"}, "directory"),
        ({"nice": 6}, "nice"),
        ({"env": {"A": "2 "}}, "env.A"),
        ({"env_directories": ["/etc/b"]}, "env_directories"),
        ({"before": "false"}, "before"),
        ({"session": True}, "session"),
        ({"argv0": "-sh"}, "argv0"),
        ({"stderr": "log"}, "stderr"),
        ({"requires": ["db", "cache"]}, "requires"),
    ],
)
def test_what_changed_in_a_script_is_told_with_the_key_that_asks_for_it(change: dict[str, Any], key: str) -> None:
    assert named({**BEFORE, **change}) == ("content changed", key)


def test_several_keys_are_all_told() -> None:
    assert named({**BEFORE, "nice": 6, "command": "worker"}) == ("content changed (command, nice)", "command")


def test_of_what_went_only_the_service_is_known() -> None:
    assert named({key: value for key, value in BEFORE.items() if key != "limits"}) == ("content changed", "")
