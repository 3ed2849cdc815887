"""The rendered tree to look at: a listing with digests, or files in a folder."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
from pathlib import Path
from typing import Any, assert_never

from runit_provision.errors import HostError, Problem, before_any_change
from runit_provision.model.tree import Directory, File, Link, Node, RenderedTree


def listing(tree: RenderedTree) -> list[dict[str, Any]]:
    """Give a row for each path, in order: path, kind, mode, owner, target or digest (unless secret), service, origin."""
    return [_row(node) for node in tree]


def _row(node: Node) -> dict[str, Any]:
    account = node.owner.user if node.owner else node.realm.account
    row: dict[str, Any] = {"path": node.path, "owner": account, "service": node.service or None, "origin": str(node.origin)}
    match node.entry:
        case Directory(mode):
            return {**row, "kind": "directory", "mode": f"{mode:04o}"}
        case File(content, mode, secret):
            # A digest would tell a short secret to whoever tries them all.
            digest = {} if secret else {"sha256": hashlib.sha256(content).hexdigest()}
            return {**row, "kind": "file", "mode": f"{mode:04o}", "secret": secret, **digest}
        case Link(target):
            return {**row, "kind": "link", "target": target}
        case _:
            assert_never(node.entry)


def lines(tree: RenderedTree) -> list[str]:
    """Give the listing for people."""
    rows = listing(tree)
    signs = {"directory": "d", "file": "-", "link": "l"}
    return [
        f"{signs[row['kind']]}{row.get('mode', '0777')} {row.get('sha256', '')[:12] or '-':12} {shlex.quote(row['path'])}"
        + (f" -> {shlex.quote(row['target'])}" if "target" in row else "")
        for row in rows
    ]


@before_any_change()
def write(tree: RenderedTree, folder: Path) -> int:
    """Write the tree below a folder that is empty or not there yet, owned by the caller; give the number of paths.

    Raises HostError when something is in the way, or when it cannot be written; nothing of it is left there then.
    """
    if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise HostError(Problem("is there, and not empty", path=str(folder), hint="give --out a folder of its own"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for node in tree:
            _write(node, folder / node.path.lstrip("/"))
        for node in reversed(tree.nodes):  # last: what lies in them could not be written where the mode forbids it
            if isinstance(node.entry, Directory):
                (folder / node.path.lstrip("/")).chmod(node.entry.mode)
    except OSError as error:
        for left in folder.iterdir() if folder.is_dir() else ():
            shutil.rmtree(left, ignore_errors=True)
        raise HostError(Problem(error.strerror or str(error), path=str(error.filename or folder))) from error
    return len(tree.nodes)


def _write(node: Node, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    match node.entry:
        case Directory():
            path.mkdir(exist_ok=True)
        case File(content, mode):
            path.touch(mode=mode & 0o600, exist_ok=False)  # a secret is never there for others to read
            try:
                path.write_bytes(content)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(path)) from error
            path.chmod(mode)
        case Link(target):
            path.symlink_to(target)
        case _:
            assert_never(node.entry)
