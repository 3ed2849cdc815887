"""Run levels on disk: a directory for each, and the links that say which is current; runsvchdir(8)."""

from __future__ import annotations

from collections.abc import Iterator

from runit_provision.model.host import Tree
from runit_provision.model.levels import Levels
from runit_provision.model.tree import Directory, Link, Node

_USUAL = "/etc/runit"
"""Where levels usually lie; a host that never had runit lacks it."""


def directories(levels: Levels, tree: Tree) -> Iterator[Node]:
    """Give the directories that hold the links of each level's services."""
    above = (_USUAL,) if levels.directory.startswith(f"{_USUAL}/") else ()
    for path in (*above, levels.directory):
        yield Node(path, Directory(0o755, shared=True), tree.realm, None, levels.origin)
    for level in levels.all:
        yield Node(f"{levels.directory}/{level.name}", Directory(0o755, shared=True), tree.realm, None, level.origin)


def switch(levels: Levels, tree: Tree) -> Iterator[Node]:
    """Give what says which level is current, last of all: runsvdir looks there at once.

    Both links are as runsvchdir and Debian's package make them, whose they are as well.
    """
    origin = next((level.origin for level in levels.all if level.name == levels.current), levels.origin)
    yield Node(f"{levels.directory}/current", Link(levels.current, shared=True), tree.realm, None, origin, live=True)
    target = _relative(f"{levels.directory}/current", tree.service_directory.rpartition("/")[0])
    yield Node(tree.service_directory, Link(target, shared=True), tree.realm, None, levels.origin, live=True)


def _relative(path: str, folder: str) -> str:
    """Give `path` as seen from `folder`."""
    parts, there = path.split("/"), folder.split("/")
    same = next((index for index, (a, b) in enumerate(zip(parts, there, strict=False)) if a != b), min(len(parts), len(there)))
    return "/".join([".."] * (len(there) - same) + parts[same:])
