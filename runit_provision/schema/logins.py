"""Accounts and groups that the data manage."""

from __future__ import annotations

import re
from collections.abc import Mapping

from runit_provision.model.account import UNKNOWN, Account, Group, Login
from runit_provision.schema.host_spec import HostSpec, UserSpec
from runit_provision.schema.problems import Path, Problems

_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
"""useradd(8): names that every tool takes."""


def read_logins(
    spec: HostSpec, accounts: Mapping[str, Account], problems: Problems, *, privileged: bool
) -> tuple[tuple[Login, ...], tuple[Group, ...]]:
    """Give the logins and groups that are to be there."""
    managed = {name: user for name, user in sorted(spec.users.items()) if user.manage is not None}
    if not privileged:
        for path in (*(("users", name, "manage") for name in managed), *(("groups", name) for name in spec.groups)):
            problems.add(path, "only root may make accounts, and the host's tree belongs to another")
    for name in spec.groups:
        _check(name, ("groups", name), problems)
    groups = tuple(
        Group(name, group.gid, group.system, problems.origin(("groups", name))) for name, group in sorted(spec.groups.items())
    )
    return tuple(_login(name, user, spec, accounts, problems) for name, user in managed.items()), groups


def _login(name: str, spec: UserSpec, host: HostSpec, accounts: Mapping[str, Account], problems: Problems) -> Login:
    manage = spec.manage
    assert manage is not None
    path: Path = ("users", name)
    login = spec.account or name
    known = accounts.get(login) or Account(login, UNKNOWN, UNKNOWN, login, f"/home/{login}")
    _check(login, path, problems)
    _check(spec.group or login, (*path, "group"), problems)
    return Login(
        name=login,
        uid=manage.uid,
        gid=manage.gid,
        group=spec.group or known.group,
        groups=tuple(spec.groups),
        home=spec.home or (f"{host.home}/{name}" if host.home else known.home),
        shell=manage.shell,
        comment=manage.comment,
        system=manage.system,
        skeleton=manage.skeleton,
        home_mode=manage.home_mode,
        origin=problems.origin((*path, "manage")),
        uid_origin=problems.origin((*path, "manage", "uid") if manage.uid is not None else (*path, "manage")),
        gid_origin=problems.origin((*path, "manage", "gid") if manage.gid is not None else (*path, "manage")),
        home_origin=problems.origin((*path, "home") if spec.home else ("home",) if host.home else (*path, "manage")),
    )


def _check(name: str, path: Path, problems: Problems) -> None:
    if not _NAME.fullmatch(name):
        problems.add(path, f"{name!r} is no name that useradd takes", hint="small letters, digits, - and _, at most 32")


def stand_ins(logins: tuple[Login, ...], accounts: Mapping[str, Account]) -> dict[str, Account]:
    """Give the accounts that are still to be made as far as the data tell."""
    return {
        login.name: Account(login.name, login.uid or UNKNOWN, login.gid or UNKNOWN, login.group, login.home)
        for login in logins
        if login.name not in accounts
    }
