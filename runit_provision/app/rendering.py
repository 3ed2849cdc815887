"""The rendered tree to look at: a listing with digests, or files in a folder."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path
from typing import Any, assert_never

from runit_provision.errors import HostError, Problem
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


def write(tree: RenderedTree, folder: Path) -> int:
    """Write the tree below a folder that is empty or not there yet, owned by the caller; give the number of paths.

    Raises HostError before anything is written when something is in the way, or when it cannot be written.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise HostError(Problem("is there, and not empty", path=str(folder), hint="give --out a folder of its own"))
        folder.mkdir(parents=True, exist_ok=True)
        for node in tree:
            _write(node, folder / node.path.lstrip("/"))
    except OSError as error:
        raise HostError(Problem(error.strerror or str(error), path=str(error.filename or folder))) from error
    return len(tree.nodes)


def _write(node: Node, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    match node.entry:
        case Directory():
            path.mkdir(exist_ok=True)
        case File(content, mode):
            path.touch(mode=mode & 0o600, exist_ok=False)  # a secret is never there for others to read
            path.write_bytes(content)
            path.chmod(mode)
        case Link(target):
            path.symlink_to(target)
        case _:
            assert_never(node.entry)
