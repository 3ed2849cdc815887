"""A login as passwd(5) and group(5) tell it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """`group` is the name of the primary group; `home` is an absolute path."""

    name: str
    uid: int
    gid: int
    group: str
    home: str
