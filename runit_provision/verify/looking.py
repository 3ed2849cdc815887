"""Look at many services of one host, with one shell command for each account, or a few."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace

from runit_provision.model.tree import ServiceTree
from runit_provision.verify import expect, probe
from runit_provision.verify.life import Life

Ask = Callable[[str, str | None], str]
"""Runs a shell command as an account, None for who asks, and gives what it prints."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a service is. account: whose credentials look at it; None for those of who asks. log_directory: "" when it is not known.

    check_as, check_path: whom root becomes to run its check, None for nobody else, and the PATH of that; without a PATH both are those
    of its process.
    """

    directory: str
    account: str | None
    log_directory: str = ""
    check_as: str | None = None
    check_path: str = ""

    @classmethod
    def of(cls, service: ServiceTree) -> Place:
        """Give the place of a service that the data, or a manifest, tell of."""
        directory = expect.path(service)
        return cls(directory, service.realm.account, service.log_directory or "", service.check_as, service.check_path)


def look(places: Mapping[str, Place], ask: Ask, *, lines: int, checked: Container[str] = ()) -> dict[str, Life]:
    """Look at each service of `places` once, by its name there.

    lines: how many lines of its log to read, as in probe.commands. checked: the names of those whose `check` is run too if they are up,
    many of an account's at the same time, and none for longer than ten seconds.
    """
    lives: dict[str, Life] = {}
    for account, names in _by_account(places).items():
        asked = ((places[name].directory, places[name].log_directory) for name in names)
        looks = [life for command in probe.commands(asked, lines=lines) for life in probe.parse(ask(command, account))]
        lives |= zip(names, looks, strict=True)
        running = [name for name in names if name in checked and lives[name].main.up]
        commands = probe.checks(_check(places[name]) for name in running)
        statuses = [status for command in commands for status in probe.parse_checks(ask(command, account))]
        lives |= {name: replace(lives[name], check=status) for name, status in zip(running, statuses, strict=True)}
    return lives


def _check(place: Place) -> tuple[str, str, str]:
    return place.directory, place.check_as or "", place.check_path


def _by_account(places: Mapping[str, Place]) -> dict[str | None, list[str]]:
    found: dict[str | None, list[str]] = {}
    for name, place in places.items():
        found.setdefault(place.account, []).append(name)
    return found
