"""The forms in which people write the same data, made one: a hash of users, defaults beneath what they are the defaults of.

Works on Tables and keeps their marks, so that each problem still points to where its value was written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from runit_provision.errors import Problem
from runit_provision.model.data import Array, Table, locate

PREFIX = "runit"
NEVER_AGAIN = ("restart", "restart_interval", "restart_count", "clear_interval", "max_delay")
"""What is about starting again, and so nothing for a one-shot."""
IN_THE_SCRIPT = (
    *("before", "requires", "user", "group", "groups", "env", "env_directories", "directory"),
    *("chroot", "umask", "nice", "lock", "session", "close", "argv0", "home", "limits"),
)
"""What is written into `run`, and so nothing for a service whose `run` is a script of its own."""
_WAYS = ("command", "run", "services")
"""What says what runs: a service's own way takes the place of the one that lies beneath it."""

Path = tuple[str | int, ...]
Told = Callable[[Path, list[str]], None]
"""Is told of a service, by its path, whose script of its own makes no use of what lies beneath it: of the keys."""


def unify(data: Table, told: Told) -> Any:
    """Give the hash with its users as a hash of hashes, every service with its defaults merged beneath, and every instance that is
    told apart with its service's data."""
    host_defaults = data.get("defaults")
    users = data.get("users")
    found = dict(data)
    if isinstance(users, list | str):
        found["users"] = _by_name(users)
    if isinstance(found.get("users"), dict):
        found["users"] = _map(found["users"], lambda name, user: _with_defaults(_filled(user), host_defaults, ("users", name), told))
    return _with_defaults(_table(found.items(), marks=getattr(data, "marks", {}), mark=getattr(data, "mark", None)), None, (), told)


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


def _with_defaults(tree: Any, more: Any, path: Path, told: Told) -> Any:
    """Merge a tree's `defaults`, and `more` beneath them, beneath each of its services and of those that are nested in them."""
    if not isinstance(tree, dict) or not isinstance(tree.get("services"), dict):
        return tree
    own = tree.get("defaults")
    defaults = beneath(own, more) if isinstance(own, dict) else more

    def completed(name: Any, service: Any) -> Any:
        return _completed(_filled(service), defaults, None if _is_tree(defaults) else defaults, (*path, "services", name), told)

    items = {**tree, "services": _map(tree["services"], completed)}
    return _table(items.items(), marks=getattr(tree, "marks", {}), mark=getattr(tree, "mark", None))


def _is_tree(defaults: Any) -> bool:
    """Whether defaults are a tree themselves, which would go on for ever; the schema refuses that."""
    return isinstance(defaults, dict) and "services" in defaults


def _completed(service: Any, lower: Any, inner: Any, path: Path, told: Told) -> Any:
    """Merge `lower` beneath a service, and the defaults `inner` beneath those that are nested in it.

    A service that tells its instances apart is what lies beneath them.
    """
    if not isinstance(service, dict):
        return service
    instances = service.get("instances")
    whole = beneath(service, _fitting(service, lower, path, told))
    marks, mark = getattr(whole, "marks", {}), getattr(whole, "mark", None)
    if isinstance(instances, dict):
        shared = _table(((key, value) for key, value in whole.items() if key != "instances"), marks=marks)

        def instance(name: Any, own: Any) -> Any:
            return _completed(_filled(own), shared, inner, (*path, "instances", name), told)

        return _table((("instances", _map(instances, instance)),), marks={"instances": marks.get("instances")}, mark=mark)
    return _with_defaults(whole, inner, path, told)


def _fitting(service: dict[Any, Any], lower: Any, path: Path, told: Told) -> Any:
    """Give what lies beneath a service without what is nothing for it."""
    if not isinstance(lower, dict):
        return lower
    gone = list(NEVER_AGAIN) if service.get("one_shot") is True else []
    if any(service.get(way) is not None for way in _WAYS):
        gone += _WAYS
    if service.get("run") is not None:
        unheard = [key for key in IN_THE_SCRIPT if lower.get(key) and key not in service]
        if unheard:
            told(path, unheard)
        gone += IN_THE_SCRIPT
    gone = [key for key in gone if key in lower and key not in service]
    return without(lower, ((key,) for key in gone)) if gone else lower


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


def _map(table: Any, change: Callable[[Any, Any], Any]) -> Table:
    return _table(
        ((key, change(key, value)) for key, value in table.items()),
        marks=getattr(table, "marks", {}),
        mark=getattr(table, "mark", None),
    )


def _table(items: Iterable[tuple[Any, Any]], *, marks: Any, mark: Any = None) -> Table:
    return Table(items, marks={key: value for key, value in marks.items() if value is not None}, mark=mark)
