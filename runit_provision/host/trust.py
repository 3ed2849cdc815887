"""Whether only root can change what root runs: the folders on the way to it.

Source: path_resolution(7), and the checks of sshd's StrictModes and of sudo.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from runit_provision.errors import Problem
from runit_provision.host.rooted import way

_HINT = "choose a place in which root alone writes"


def doubts(path: str | Path, *, root: Path) -> Iterator[Problem]:
    """Give each folder on the way to the host's `path`, itself included, in which another than root could put something of theirs.

    A folder of everybody's whose entries are their owners' (the sticky bit), as /tmp, is none. Nothing is asked of a caller who is
    not root: what that one installs, that one runs.
    """
    if os.geteuid() != 0:
        return
    for folder in way(root, path):
        try:
            found = (root / folder.lstrip("/")).lstat()
        except OSError:
            continue  # not there yet: it will be the installer's
        if found.st_uid != 0:
            yield Problem(f"belongs to user {found.st_uid}, and root would run what lies in it", path=folder, hint=_HINT)
        elif found.st_mode & stat.S_ISVTX:
            continue
        elif found.st_mode & stat.S_IWOTH:
            yield Problem("everybody can write there, and root would run what lies in it", path=folder, hint=_HINT)
        elif found.st_mode & stat.S_IWGRP and (members := _members(root, found.st_gid)):
            message = f"{', '.join(members)} can write there, and root would run what lies in it"
            yield Problem(message, path=folder, hint=_HINT)


def _members(root: Path, gid: int) -> list[str]:
    """Give who is in a group; Debian's /usr/local belongs to one that is empty."""
    if gid == 0:
        return []
    try:
        groups = (root / "etc/group").read_text(errors="replace")
        accounts = (root / "etc/passwd").read_text(errors="replace")
    except OSError:
        return [f"group {gid}"]
    found = [name for line in groups.splitlines() if line.split(":")[2:3] == [str(gid)] for name in line.split(":")[-1].split(",")]
    found += [line.split(":")[0] for line in accounts.splitlines() if line.split(":")[3:4] == [str(gid)]]
    return sorted({name for name in found if name not in ("", "root")})
