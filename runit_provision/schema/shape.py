"""The forms in which people write the same data, made one: a hash of users, defaults beneath what they are the defaults of.

Works on Tables and keeps their marks, so that each problem still points to where its value was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from runit_provision.errors import Problem
from runit_provision.model.data import Array, Table, locate

PREFIX = "runit"
NEVER_AGAIN = ("restart", "restart_interval", "restart_count", "clear_interval", "max_delay")
"""What is about starting again, and so nothing for a one-shot."""


def unify(data: Table) -> Any:
    """Give the hash with its users as a hash of hashes, and every service with its defaults merged beneath."""
    host_defaults = data.get("defaults")
    users = data.get("users")
    found = dict(data)
    if isinstance(users, list | str):
        found["users"] = _by_name(users)
    if isinstance(found.get("users"), dict):
        found["users"] = _map(found["users"], lambda user: _with_defaults(_filled(user), host_defaults))
    return _with_defaults(_table(found.items(), marks=getattr(data, "marks", {}), mark=getattr(data, "mark", None)), None)


def named_twice(data: Table) -> Iterator[Problem]:
    """Give a problem for each user that a list names again."""
    users = data.get("users")
    seen: set[str] = set()
    for index, name in enumerate(users if isinstance(users, list) else ()):
        if isinstance(name, str):
            if name in seen:
                yield Problem(
                    f"{name!r} is named twice", mark=locate(users, [index]), key=f"{PREFIX}.users.{index}", hint="name it once"
                )
            seen.add(name)


def beneath(upper: Any, lower: Any) -> Any:
    """Give `upper` with what only `lower` says added, hash by hash; lists and plain values are not mixed."""
    if not isinstance(upper, dict) or not isinstance(lower, dict):
        return upper
    marks = {**getattr(lower, "marks", {}), **getattr(upper, "marks", {})}
    items = {
        key: beneath(upper[key], lower[key]) if key in upper and key in lower else upper.get(key, lower.get(key))
        for key in (*upper, *lower)
    }
    return _table(items.items(), marks=marks, mark=getattr(upper, "mark", None) or getattr(lower, "mark", None))


def without(data: Any, paths: Iterable[tuple[str | int, ...]]) -> Any:
    """Give a copy of `data` that lacks what stands at each of `paths`; a list goes whole, or what follows in it would move up."""
    heads: dict[Any, list[tuple[str | int, ...]]] = {}
    for path in paths:
        if path:
            heads.setdefault(path[0], []).append(path[1:])
    if not isinstance(data, dict):
        return data
    gone = {key for key, tails in heads.items() if () in tails or isinstance(data.get(key), list)}
    kept = ((key, value) for key, value in data.items() if key not in gone)
    return _table(((key, without(value, heads.get(key, ()))) for key, value in kept), marks=getattr(data, "marks", {}))


def _with_defaults(tree: Any, more: Any) -> Any:
    """Merge a tree's `defaults`, and `more` beneath them, beneath each of its services and of those that are nested in them."""
    if not isinstance(tree, dict) or not isinstance(tree.get("services"), dict):
        return tree
    own = tree.get("defaults")
    defaults = beneath(own, more) if isinstance(own, dict) else more
    services = _map(tree["services"], lambda service: _with_nested(_completed(_filled(service), defaults), defaults))
    items = {**tree, "services": services}
    return _table(items.items(), marks=getattr(tree, "marks", {}), mark=getattr(tree, "mark", None))


def _completed(service: Any, defaults: Any) -> Any:
    """Merge defaults beneath a service; a one-shot takes none of what is nothing for it."""
    if isinstance(defaults, dict) and isinstance(service, dict) and service.get("one_shot") is True:
        defaults = without(defaults, ((key,) for key in NEVER_AGAIN))
    return beneath(service, defaults)


def _with_nested(service: Any, defaults: Any) -> Any:
    """Go on within a service; not when the defaults are a tree themselves, which the schema refuses."""
    return service if isinstance(defaults, dict) and "services" in defaults else _with_defaults(service, defaults)


def _by_name(users: list[Any] | str) -> Any:
    """Make a list of names (or one name, or hashes with names as keys) a hash; what is neither stays for the schema to refuse."""
    names = [users] if isinstance(users, str) else users
    if not all(isinstance(name, str) for name in names):
        return users
    marks = {name: locate(users, [index]) for index, name in enumerate(names)} if isinstance(users, Array) else {}
    return _table(((name, Table(mark=marks.get(name))) for name in names), marks=marks, mark=getattr(users, "mark", None))


def _filled(value: Any) -> Any:
    """A name with nothing after it (`worker:`) means all defaults."""
    return Table() if value is None else value


def _map(table: Any, change: Any) -> Table:
    return _table(
        ((key, change(value)) for key, value in table.items()), marks=getattr(table, "marks", {}), mark=getattr(table, "mark", None)
    )


def _table(items: Iterable[tuple[Any, Any]], *, marks: Any, mark: Any = None) -> Table:
    return Table(items, marks={key: value for key, value in marks.items() if value is not None}, mark=mark)
