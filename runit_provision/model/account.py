"""A login as passwd(5) and group(5) tell it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """`group` is the name of the primary group; `home` and `shell` are absolute paths."""

    name: str
    uid: int
    gid: int
    group: str
    home: str
    shell: str = "/bin/sh"
