"""A rendered tree written to disk, plainly, where what it does is tried and not how it comes there."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import assert_never

from runit_provision.model.tree import Directory, File, Link, Node


def lay(nodes: Iterable[Node]) -> None:
    """Write every node as the calling user."""
    for node in nodes:
        path = Path(node.path)
        match node.entry:
            case Directory(mode):
                path.mkdir(exist_ok=True, parents=True)
                path.chmod(mode)
            case File(content, mode):
                path.write_bytes(content)
                path.chmod(mode)
                if node.owner:
                    shutil.chown(path, node.owner.user, node.owner.group)
            case Link(target):
                path.symlink_to(target)
            case _:
                assert_never(node.entry)
