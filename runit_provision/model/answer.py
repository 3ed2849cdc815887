"""What an apply was asked, and what the data asked of the host, so that the same question need not be answered again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from runit_provision.errors import Problem
from runit_provision.model.tree import Origin, Purge, Realm


class Ceiling(NamedTuple):
    """A limit that the data give to a service: its name, and the value (bytes, seconds or a number, as setrlimit(2) has it)."""

    service: str
    name: str
    value: int
    origin: Origin


class Called(NamedTuple):
    """A program that a script calls, by its name or its absolute path."""

    program: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Demands:
    """What the data ask of a host beside paths and services.

    prefix: where the shipped runtime has to be laid, or None. tools: what the services' scripts call, to be found in one of the host's
    `folders` (with colons between them); hint: what to do when it is not. ceilings: limits that hard ones may be too low for.
    called: what else they call, to be found where the system's programs are.
    """

    prefix: str | None = None
    tools: tuple[str, ...] = ()
    folders: str = ""
    hint: str = ""
    ceilings: tuple[Ceiling, ...] = ()
    called: tuple[Called, ...] = ()


class Beside(NamedTuple):
    """A path that has to be there though it is not ours: a directory of whatever mode, or a link to `target`."""

    path: str
    realm: Realm
    target: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """To what a manifest was the answer.

    question: the options of the command. asked: every input that the data and their meaning came from, by kind and name; digest: of all
    that was said to them, keyed with `salt`. beside: what the tree has and the manifest has not, since others own it.
    demands, warnings: what else was to be said. purges: the trees in which nothing else may be.
    """

    question: str
    asked: tuple[tuple[str, str], ...]
    salt: str
    digest: str
    beside: tuple[Beside, ...]
    demands: Demands
    warnings: tuple[Problem, ...]
    purges: tuple[Purge, ...] = ()
