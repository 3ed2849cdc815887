"""The rendered tree as a whole: pure, in order, and silent about secrets."""

from __future__ import annotations

import random
from typing import Any

from support.listing import listing
from support.world import content, tree_of

from runit_provision.model.data import Sensitive
from runit_provision.model.tree import File, RenderedTree

WORLD: dict[str, Any] = {
    "users": {"apprun1": {"services": {"b": {"command": ["b"], "env": {"B": "1", "A": "2"}}, "a": {"command": ["a"]}}}, "apprun2": {}},
    "services": {"d": {"command": ["d"], "requires": ["c"]}, "c": {"command": ["c"], "files": {"x/y": "1", "a": "2"}}},
}


def shuffled(value: Any, order: random.Random) -> Any:
    if not isinstance(value, dict):
        return value
    items = [(key, shuffled(item, order)) for key, item in value.items()]
    order.shuffle(items)
    return dict(items)


def test_the_order_of_keys_changes_no_byte() -> None:
    expected = listing(tree_of(WORLD))
    for seed in range(10):
        assert listing(tree_of(shuffled(WORLD, random.Random(seed)))) == expected


def test_parents_come_before_children_and_live_links_last() -> None:
    nodes = tree_of(WORLD).nodes
    seen: set[str] = set()
    for node in nodes:
        above = node.path.rpartition("/")[0]
        assert above in seen or all(other.path != above for other in nodes), node.path
        seen.add(node.path)
    lives = [node.live for node in nodes]
    assert lives == sorted(lives)
    assert len(seen) == len(nodes)


def test_a_service_comes_behind_its_tree_and_behind_what_it_requires() -> None:
    order = [service.id for service in tree_of(WORLD).services]
    assert order.index("c") < order.index("d")
    assert order.index("runsvdir-apprun1") < order.index("apprun1/a")


def secret_files(tree: RenderedTree) -> dict[str, int]:
    return {node.path: node.entry.mode for node in tree if isinstance(node.entry, File) and b"hunter2" in node.entry.content}


def test_a_secret_stands_only_in_files_that_its_owner_alone_reads() -> None:
    env = {"PASSWORD": Sensitive("hunter2"), "WITH_BLANK": Sensitive("hunter2 "), "PLAIN": "x"}
    service = {"command": ["prog"], "log": False, "env": env, "files": {"key": Sensitive("hunter2")}}
    tree = tree_of({"services": {"prog": service}})
    assert secret_files(tree) == {"/etc/sv/prog/env/PASSWORD": 0o600, "/etc/sv/prog/run": 0o700, "/etc/sv/prog/key": 0o600}
    marked = {node.path for node in tree if isinstance(node.entry, File) and node.entry.secret}
    assert marked == set(secret_files(tree))
    assert "hunter2" not in repr(tree)


def test_moving_a_line_in_the_data_file_changes_no_script() -> None:
    tree = tree_of({"services": {"prog": {"command": ["prog"], "log": False}}})
    assert content(tree, "/etc/sv/prog/run") == "#!/bin/sh\n# runit-provision: runit.services.prog\nexec prog\n"
