"""Paths of a host whose root directory may be a folder here (`--root`): its links lead nowhere but into that folder."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

_LINKS = 40
"""As many as the kernel follows (path_resolution(7))."""


def on_host(root: Path, path: str | Path) -> Path:
    """Give the place here of the host's absolute `path`, the links of the folders that it lies in followed as the host would."""
    folder, name = os.path.split(str(path))
    return folder_on_host(root, folder) / name


def folder_on_host(root: Path, path: str | Path) -> Path:
    """Give the place here of the folder that the host's absolute `path` leads to, whether it is there already or not."""
    return root / _follow(root, str(path)).lstrip("/") if root != Path("/") else Path(path)


def here(root: Path, path: str) -> str:
    """Give the host's absolute `path` as it is called here, to be shown; what is below `root` is called so already."""
    if root == Path("/") or not path.startswith("/") or Path(path).is_relative_to(root):
        return path
    return f"{root}{path}"


def as_host(root: Path, path: str | Path) -> str:
    """Give a path here as the host itself calls it, which is how every path is shown; what is not the host's stays as it is."""
    text = str(path)
    if root == Path("/") or not Path(text).is_relative_to(root):
        return text
    return str(Path("/") / Path(text).relative_to(root))


def on_root(root: Path) -> str:
    """Give the option, with a blank behind it, by which a command that a hint names works on the same host; empty for this one."""
    return f"--root {shlex.quote(str(root))} " if root != Path("/") else ""


def resolve(root: Path, path: str | Path) -> str | None:
    """Follow the links of the host's absolute `path` as its own kernel would; None when nothing is there."""
    found = _follow(root, str(path))
    return found if os.path.lexists(root / found.lstrip("/")) else None


def way(root: Path, path: str | Path) -> list[str]:
    """Give the host's absolute `path` as it resolves, after each folder in which something on the way to it is looked up."""
    folders: list[str] = []
    end = _follow(root, str(path), folders)
    return list(dict.fromkeys([*folders, end]))


def _follow(root: Path, path: str, folders: list[str] | None = None) -> str:
    """Resolve what exists of `path`; the rest stays as it is. A loop ends where the kernel gives up."""
    done: list[str] = []
    todo = _parts(path)
    followed = 0
    while todo:
        if folders is not None:
            folders.append("/" + "/".join(done))
        part = todo.pop()
        if part == "..":
            del done[-1:]
            continue
        try:
            target = os.readlink(root / "/".join([*done, part])) if followed < _LINKS else ""
        except OSError:
            target = ""
        if not target:
            done.append(part)
            continue
        followed += 1
        if target.startswith("/"):
            done.clear()
        todo += _parts(target)
    return "/" + "/".join(done)


def _parts(path: str) -> list[str]:
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]
