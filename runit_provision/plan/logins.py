"""What is to be done to the accounts and groups of a host, from what the data want and what there is; no disk.

Nothing is ever removed, and no number is ever changed: files would change hands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from runit_provision.errors import HostError, Problem
from runit_provision.model.account import Group, KnownLogin, Login
from runit_provision.model.plan import Change, LoginStep
from runit_provision.model.tree import Origin


def decide_logins(
    logins: Iterable[Login], groups: Iterable[Group], known: Mapping[str, KnownLogin | None], numbers: Mapping[str, int | None]
) -> tuple[LoginStep, ...]:
    """Give the steps, groups first; HostError with every contradiction of the data to the host.

    known: of each login that is wanted what there is, or None; numbers: of each group that any of them names, the same.
    """
    problems: list[Problem] = []
    steps: list[LoginStep] = []
    wanted = {group.name: group for group in groups}
    logins = list(logins)
    for login in logins:
        wanted.setdefault(login.group, Group(login.group, login.gid, login.system, login.origin))
    for group in wanted.values():
        steps += _group(group, numbers.get(group.name), problems)
    for login in logins:
        for name in login.groups:
            if name not in wanted and numbers.get(name) is None:
                problems.append(
                    _problem(login.origin, f"there is no group {name!r} on this host", hint="let `groups` of the host make it")
                )
        steps += _login(login, known.get(login.name), problems)
    if problems:
        raise HostError(*dict.fromkeys(problems))
    return tuple(steps)


def _group(group: Group, number: int | None, problems: list[Problem]) -> Iterator[LoginStep]:
    if number is None:
        yield LoginStep(Change.CREATE, "group", group.name, "new", group.origin, group=group)
    elif group.gid is not None and group.gid != number:
        problems.append(_differs(group.origin, f"the group {group.name} has the number {number}, not {group.gid}"))


def _login(login: Login, known: KnownLogin | None, problems: list[Problem]) -> Iterator[LoginStep]:
    if known is None:
        yield LoginStep(Change.CREATE, "account", login.name, "new", login.origin, login=login)
        yield LoginStep(Change.CREATE, "home", login.home, "new", login.origin, login=login)
        return
    if login.uid is not None and login.uid != known.uid:
        problems.append(_differs(login.origin, f"the account {login.name} has the number {known.uid}, not {login.uid}"))
    if login.group != known.group:
        problems.append(_differs(login.origin, f"the primary group of {login.name} is {known.group}, not {login.group}"))
    if login.home != known.home:
        problems.append(_problem(login.origin, f"the home of {login.name} is {known.home}, not {login.home}", hint="move it by hand"))
    if changes := list(_changes(login, known)):
        yield LoginStep(Change.REPLACE, "account", login.name, ", ".join(changes), login.origin, login=login)
    if not known.has_home:
        yield LoginStep(Change.CREATE, "home", login.home, "new", login.origin, login=login)


def _changes(login: Login, known: KnownLogin) -> Iterator[str]:
    if login.shell is not None and login.shell != known.shell:
        yield f"shell {known.shell} -> {login.shell}"
    if login.comment is not None and login.comment != known.comment:
        yield f"comment {known.comment!r} -> {login.comment!r}"
    if missing := [group for group in login.groups if group not in known.groups]:
        yield f"not in {', '.join(missing)}"


def _differs(origin: Origin, message: str) -> Problem:
    return _problem(origin, message, hint="files would change hands: correct the data, or change the number by hand")


def _problem(origin: Origin, message: str, *, hint: str) -> Problem:
    return Problem(message, mark=origin.mark, key=origin.key, hint=hint)
