"""The directories above a path that are made with it."""

from __future__ import annotations

from collections.abc import Iterator

from runit_provision.model.tree import Realm

_EVERYWHERE = ("/etc/profile.d", "/var", "/var/log")
"""Directories of the system that minimal images lack: they are made. Any other that is missing is a typo, or a disk not mounted."""


def between(realm: Realm, path: str) -> Iterator[str]:
    """Give the directories above `path` that lie below a user's base; above a system's only what every system has, or ought to."""
    if realm.account is None or not realm.holds(path):
        yield from (above for above in _EVERYWHERE if path.startswith(f"{above}/"))
        return
    parts = path.removeprefix(realm.base.rstrip("/") + "/").split("/")
    for depth in range(1, len(parts)):
        yield "/".join([realm.base.rstrip("/"), *parts[:depth]])
