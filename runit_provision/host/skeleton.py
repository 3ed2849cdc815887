"""What lies in /etc/skel: copied into a home that is made, and taken out of one again that holds nothing else."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from runit_provision.host import files, looks
from runit_provision.host.ground import LOCK, Ground
from runit_provision.host.rooted import folder_on_host
from runit_provision.model.observed import Kind


class Copy(NamedTuple):
    """A file, directory or link; path: below the home. target: a link's."""

    path: str
    kind: Kind
    mode: int
    content: bytes = b""
    target: str = ""

    @property
    def words(self) -> str:
        """Say what it is, so that it can be told again."""
        return _words(self.kind.value, self.mode, hashlib.sha256(self.content).hexdigest(), self.target)


def _words(kind: str, mode: int, digest: str, target: str) -> str:
    return f"{kind} {target}" if kind == "link" else f"{kind} {mode:04o} {digest if kind == 'file' else ''}"


def skeleton(root: Path) -> Iterator[Copy]:
    """Read what a new home of the host gets, directories before what is in them; OSError."""
    top = folder_on_host(root, "/etc/skel")
    for folder, folders, names in os.walk(top):
        for source in (Path(folder, name) for name in sorted((*folders, *names))):
            seen, path = source.lstat(), str(source.relative_to(top))
            mode = stat.S_IMODE(seen.st_mode)
            if stat.S_ISLNK(seen.st_mode):
                yield Copy(path, Kind.LINK, mode, target=str(source.readlink()))
            elif stat.S_ISDIR(seen.st_mode):
                yield Copy(path, Kind.DIRECTORY, mode)
            elif stat.S_ISREG(seen.st_mode):
                yield Copy(path, Kind.FILE, mode, source.read_bytes())


def strip(ground: Ground, copies: Sequence[tuple[str, str]]) -> list[str]:
    """Empty the home that is the ground's base if all that it holds is `copies`, path and words of each, as they were made.

    Its lock goes with them. Else nothing is taken away; give names of what else there is, NAMED at most.
    """
    known = dict(copies)
    strange: list[str] = []
    found: list[tuple[str, bool]] = []
    pending = [""]
    while pending:
        at = pending.pop()
        for name in sorted(files.names(ground, f"{ground.base}/{at}".rstrip("/"))):
            path = f"{at}/{name}".lstrip("/")
            (sight,) = looks.look(ground, [(f"{ground.base}/{path}", -1, "", -1, False, True)])
            ours = path in (files.STORE, f"{files.STORE}/{LOCK}")
            if not isinstance(sight, tuple) or not (ours or known.get(path) == _words(sight[0], sight[1], sight[5], sight[6])):
                strange.append(path)
            else:
                found.append((path, sight[0] == Kind.DIRECTORY.value))
                pending += [path] if found[-1][1] else []
            if len(strange) == files.NAMED:
                return strange
    if not strange:
        for path, is_directory in sorted(found, reverse=True):
            if is_directory:
                files.remove_directory(ground, f"{ground.base}/{path}", False)
            else:
                files.unlink(ground, f"{ground.base}/{path}")
    return strange


OPERATIONS: dict[str, Callable[..., Any]] = {"strip": strip}
