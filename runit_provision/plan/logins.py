"""What is to be done to the accounts and groups of a host, from what the data want and what there is; no disk.

Nothing is ever removed, and no number is ever changed: files would change hands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from runit_provision.errors import HostError, Problem
from runit_provision.model.account import Group, KnownAccounts, KnownHome, KnownLogin, Login
from runit_provision.model.plan import Change, LoginStep
from runit_provision.model.tree import Origin

_MOVE = "move it away, or choose another home"


def decide_logins(logins: Iterable[Login], groups: Iterable[Group], known: KnownAccounts) -> tuple[LoginStep, ...]:
    """Give the steps, groups first; HostError with every contradiction of the data to the host, or to themselves.

    What the data give a number comes before what takes the next that is free, lest that is the same one.
    """
    problems: list[Problem] = []
    logins = list(logins)
    wanted = _groups(logins, groups, problems)
    of_groups = [step for group in wanted for step in _group(group, known.groups.get(group.name), problems)]
    names = {group.name for group in wanted}
    of_logins: list[LoginStep] = []
    for login in logins:
        for name in login.groups:
            if name not in names and known.groups.get(name) is None:
                hint = "let `groups` of the host make it"
                problems.append(_problem(login.origin, f"there is no group {name!r} on this host", hint=hint))
        of_logins += _login(login, known, problems)
    problems += _taken_gids(of_groups, known)
    problems += _taken_uids(of_logins, known)
    problems += _shared_homes(of_logins)
    if problems:
        raise HostError(*dict.fromkeys(problems))
    of_groups.sort(key=lambda step: bool(step.group and step.group.gid is None))
    of_logins.sort(key=lambda step: (step.kind == "home", step.change is Change.CREATE, bool(step.login and step.login.uid is None)))
    return (*of_groups, *of_logins)


def _groups(logins: Sequence[Login], groups: Iterable[Group], problems: list[Problem]) -> list[Group]:
    """Give every group that is to be there: those of the data, and the logins' primary ones."""
    wanted = {group.name: group for group in groups}
    for login in logins:
        group = wanted.setdefault(login.group, Group(login.group, login.gid, login.system, login.gid_origin))
        if group.gid is None:
            wanted[login.group] = replace(group, gid=login.gid)
        elif login.gid not in (None, group.gid):
            message = f"the group {group.name} is to have the number {group.gid} ({group.origin}), not {login.gid}"
            problems.append(_problem(login.gid_origin, message, hint="give it one number"))
    return list(wanted.values())


def _group(group: Group, number: int | None, problems: list[Problem]) -> Iterator[LoginStep]:
    if number is None:
        yield LoginStep(Change.CREATE, "group", group.name, "new", group.origin, group=group)
    elif group.gid is not None and group.gid != number:
        problems.append(_differs(group.origin, f"the group {group.name} has the number {number}, not {group.gid}"))


def _login(login: Login, known: KnownAccounts, problems: list[Problem]) -> Iterator[LoginStep]:
    there = known.logins.get(login.name)
    if there is None:
        yield LoginStep(Change.CREATE, "account", login.name, "new", login.origin, login=login)
        yield from _home(login, login.uid, known.homes[login.home], problems)
        return
    if login.uid is not None and login.uid != there.uid:
        problems.append(_differs(login.uid_origin, f"the account {login.name} has the number {there.uid}, not {login.uid}"))
    if login.group != there.group:
        problems.append(_differs(login.origin, f"the primary group of {login.name} is {there.group}, not {login.group}"))
    if login.home != there.home:
        message = f"the home of {login.name} is {there.home}, not {login.home}"
        problems.append(_problem(login.home_origin, message, hint="move it by hand"))
    elif not there.has_home:
        yield from _home(login, there.uid, known.homes[login.home], problems)
    if changes := list(_changes(login, there)):
        yield LoginStep(Change.REPLACE, "account", login.name, ", ".join(changes), login.origin, login=login)


def _home(login: Login, uid: int | None, found: KnownHome, problems: list[Problem]) -> Iterator[LoginStep]:
    """Let a home be made where nothing is; a directory that is the account's own by its number is its home already."""
    what = f"the home of {login.name}"
    if found.wrong:
        problems.append(_problem(login.home_origin, f"{found.wrong}, and {what} is to be there", hint=found.hint, path=found.at))
    elif found.uid is None:
        yield LoginStep(Change.CREATE, "home", login.home, "new", login.home_origin, login=login)
    elif found.uid != uid:
        hint = f"{_MOVE}; or let `manage.uid` be {found.uid}" if found.uid and uid is None else _MOVE
        message = f"is a directory of uid {found.uid}, and {what} is to be there"
        problems.append(_problem(login.home_origin, message, hint=hint, path=login.home))


def _changes(login: Login, known: KnownLogin) -> Iterator[str]:
    if login.shell is not None and login.shell != known.shell:
        yield f"shell {known.shell} -> {login.shell}"
    if login.comment is not None and login.comment != known.comment:
        yield f"comment {known.comment!r} -> {login.comment!r}"
    if missing := [group for group in login.groups if group not in known.groups]:
        yield f"not in {', '.join(missing)}"


def _taken_gids(steps: Iterable[LoginStep], known: KnownAccounts) -> Iterator[Problem]:
    taken = dict(known.gids)
    for group in [step.group for step in steps if step.group and step.group.gid is not None]:
        assert group.gid is not None
        if (other := taken.setdefault(group.gid, group.name)) != group.name:
            yield _taken(group.origin, f"the group {group.name} cannot have the number {group.gid}: the group {other} has it")


def _taken_uids(steps: Iterable[LoginStep], known: KnownAccounts) -> Iterator[Problem]:
    taken = dict(known.uids)
    for login in [step.login for step in steps if step.login and step.kind == "account" and step.change is Change.CREATE]:
        if login.uid is not None and (other := taken.setdefault(login.uid, login.name)) != login.name:
            yield _taken(login.uid_origin, f"{login.name} cannot have the number {login.uid}: {other} has it")


def _shared_homes(steps: Iterable[LoginStep]) -> Iterator[Problem]:
    taken: dict[str, str] = {}
    for login in [step.login for step in steps if step.login and step.kind == "home"]:
        if (other := taken.setdefault(login.home, login.name)) != login.name:
            yield _problem(login.home_origin, f"{login.home} is the home of {other} as well", hint="give each its own")


def _taken(origin: Origin, message: str) -> Problem:
    return _problem(origin, message, hint="choose another number, or leave it to the host")


def _differs(origin: Origin, message: str) -> Problem:
    return _problem(origin, message, hint="files would change hands: correct the data, or change the number by hand")


def _problem(origin: Origin, message: str, *, hint: str, path: str = "") -> Problem:
    return Problem(message, mark=origin.mark, key=origin.key, path=path, hint=hint)
