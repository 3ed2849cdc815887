"""A login as passwd(5) and group(5) tell it."""

from __future__ import annotations

from dataclasses import dataclass

from runit_provision.model.tree import Origin


@dataclass(frozen=True, slots=True)
class Account:
    """`group` is the name of the primary group; `home` and `shell` are absolute paths."""

    name: str
    uid: int
    gid: int
    group: str
    home: str
    shell: str = "/bin/sh"


UNKNOWN = -1
"""The number of an account that is to be made, where the data leave it to the host."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group that is to be there. gid: None for any number; system: one of the system's."""

    name: str
    gid: int | None
    system: bool
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """An account that is to be there, with its home. None leaves to the host what is new, and leaves as it is what is there.

    group, gid: the primary group; groups: further ones that it has to be in. skeleton: a new home gets what lies in /etc/skel.
    """

    name: str
    uid: int | None
    gid: int | None
    group: str
    groups: tuple[str, ...]
    home: str
    shell: str | None
    comment: str | None
    system: bool
    skeleton: bool
    home_mode: int
    origin: Origin


@dataclass(frozen=True, slots=True)
class KnownLogin:
    """An account that is there. groups: the names of all, its primary one included. has_home: its home is there."""

    uid: int
    gid: int
    group: str
    groups: tuple[str, ...]
    home: str
    shell: str
    comment: str
    has_home: bool
