"""A login as passwd(5) and group(5) tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    origin: of the whole; uid_origin and its like: of what the number, the primary group's and the home come from.
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
    uid_origin: Origin
    gid_origin: Origin
    home_origin: Origin


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


@dataclass(frozen=True, slots=True)
class KnownHome:
    """What is at the place where a home is to be made.

    wrong: why none can be made there, in words, at: the path that this is about, and hint: what to do. uid: whose directory is there
    already, or None.
    """

    wrong: str = ""
    at: str = ""
    hint: str = ""
    uid: int | None = None


@dataclass(frozen=True, slots=True)
class KnownAccounts:
    """What a host says of the accounts that the data manage.

    logins, groups: by name what there is (of a group its number), or None; uids, gids: whose the numbers are that the data give.
    homes: by path, of those that are to be made.
    """

    logins: Mapping[str, KnownLogin | None] = field(default_factory=dict)
    groups: Mapping[str, int | None] = field(default_factory=dict)
    uids: Mapping[int, str] = field(default_factory=dict)
    gids: Mapping[int, str] = field(default_factory=dict)
    homes: Mapping[str, KnownHome] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Coming:
    """By name the logins and groups that are made before any path is; those whose homes are among them."""

    logins: Mapping[str, Login] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
