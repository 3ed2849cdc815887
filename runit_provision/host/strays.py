"""Services that were found where only those of the data are to be: their links, what lies in their directories, how they fare."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any

from runit_provision.host import files, letters, looks, processes
from runit_provision.host.ground import Ground

MOST = 5000
"""Paths of one service; of a larger one only the link is the tree's."""
TOGETHER = 20_000
"""Paths that are looked at for one service directory; of the services that come after those only the links are the tree's."""
LOGS = re.compile(r"current|lock|state|newstate|previous|@[0-9a-f]{24}\.[stu]")
"""What svlogd(8) makes in a log directory, beside what people put there."""

Stray = tuple[str, looks.Sight, str, dict[str, looks.Sight], list[str], letters.Life, letters.Life, str]
"""Link and its sight, the service directory ("" when only the link is the tree's), its paths, those of log directories, the lives of
the service and of its log service, and the directory over which it runs a runsvdir ("" for none)."""


def strays(ground: Ground, directory: str, definitions: str, known: Sequence[str]) -> tuple[list[Stray], list[str]]:
    """Give the links in `directory` whose names are not `known`, and the directories among them, which are no link's."""
    try:
        names = sorted(files.names(ground, directory))
    except FileNotFoundError:
        return [], []
    found, plain = [], []
    walk = _Walk(ground, definitions)
    for name in names:
        if name.startswith(".") or name in known:
            continue  # runsvdir(8) looks at no name with a dot
        path = f"{directory}/{name}"
        sight = _looks(ground, [path]).get(path)
        if sight and sight[0] == "link":
            found.append(walk.stray(path, sight))
        elif sight and sight[0] == "directory":
            plain.append(path)
    return found, plain


class _Walk:
    """A walk through the service directories below `definitions`, each once, however many links lead there."""

    def __init__(self, ground: Ground, definitions: str) -> None:
        self._ground = ground
        self._definitions = definitions
        self._room = TOGETHER
        self._seen: set[str] = set()

    def stray(self, path: str, sight: looks.Sight) -> Stray:
        place = os.path.normpath(os.path.join(os.path.dirname(path), sight[6]))
        paths: dict[str, looks.Sight] = {}
        logs: list[str] = []
        new = place.startswith(f"{self._definitions}/") and place not in self._seen
        self._seen.add(place)
        if not (new and self._walk(place, paths, logs)):
            return (path, sight, "", {}, [], letters.GONE, letters.GONE, "")
        life, log = letters.lives(self._ground, [place, f"{place}/log"])
        return (path, sight, place, paths, logs, life, log, processes.scans(life[3]))

    def _walk(self, place: str, paths: dict[str, looks.Sight], logs: list[str]) -> bool:
        """Look at all below `place` but what runsv and svlogd wrote; False when it is no directory, or there is too much in it."""
        pending = [place]
        while pending:
            if self._room < 0:
                return False
            path = pending.pop()
            try:
                names = files.names(self._ground, path)
            except OSError:
                if path == place:
                    return False
                continue  # what cannot be opened stays, and so does what it lies in
            is_log = {"current", "lock"} <= set(names)
            if is_log:
                logs.append(path)
            below = [f"{path}/{name}" for name in sorted(names) if name not in files.RESIDUE and not (is_log and LOGS.fullmatch(name))]
            self._room -= 1 + len(below)
            if len(paths) + len(below) > MOST or self._room < 0:
                return False
            seen = _looks(self._ground, [path, *below])
            pending += [inner for inner in below if inner in seen and seen[inner][0] == "directory"]
            paths |= seen
        return True


def _looks(ground: Ground, paths: list[str]) -> dict[str, looks.Sight]:
    seen = looks.look(ground, [(path, -1, "", -1, False, True) for path in paths])
    return {path: sight for path, sight in zip(paths, seen, strict=True) if isinstance(sight, tuple)}


def clear_logs(ground: Ground, path: str) -> None:
    """Take away what svlogd wrote in the log directory `path`, and what is kept there when the realm is that directory."""
    try:
        names = files.names(ground, path)
    except FileNotFoundError:
        return
    for name in names:
        if LOGS.fullmatch(name) or (ground.base == path and name == files.STORE):
            files.clear(ground.directory(path), name)


OPERATIONS: dict[str, Callable[..., Any]] = {function.__name__: function for function in (strays, clear_logs)}
"""What a hand can be asked to do, by name."""
