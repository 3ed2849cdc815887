"""Paths of a host whose root directory may be a folder here (`--root`): its links lead nowhere but into that folder."""

from __future__ import annotations

import os
from pathlib import Path

_LINKS = 40
"""As many as the kernel follows (path_resolution(7))."""


def on_host(root: Path, path: str | Path) -> Path:
    """Give the place here of the host's absolute `path`."""
    return root / str(path).lstrip("/")


def resolve(root: Path, path: str) -> str | None:
    """Follow the links of the host's absolute `path` as its own kernel would; None when nothing is there."""
    done: list[str] = []
    todo = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    followed = 0
    while todo:
        part = todo.pop()
        if part == "..":
            del done[-1:]
            continue
        here = on_host(root, "/".join([*done, part]))
        try:
            target = os.readlink(here)
        except OSError:
            if not os.path.lexists(here):
                return None
            done.append(part)
            continue
        followed += 1
        if followed > _LINKS:
            return None
        if target.startswith("/"):
            done.clear()
        todo += [piece for piece in reversed(target.split("/")) if piece not in ("", ".")]
    return "/" + "/".join(done)
