"""The whole desired state of one host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from runit_provision.errors import Problem
from runit_provision.model.account import Account, Group, Login
from runit_provision.model.levels import Levels
from runit_provision.model.service import Service
from runit_provision.model.tree import SYSTEM, Origin, Realm

TREE_SERVICE = "runsvdir-"
"""What the name of the host's service that runs a user's tree starts with; the user's name follows."""


class RuntimeKind(Enum):
    """Which runit supervises the host."""

    SHIPPED = "shipped"
    PACKAGE = "package"
    PACKAGE_FILE = "package_file"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Runtime:
    """prefix: where the shipped tools lie (PREFIX/bin). package_file: looked for in `filestore`, copied to `workspace`.

    said: the data names it, so that apply lays it; one that is only the default is looked for.
    """

    kind: RuntimeKind
    prefix: str
    said: bool = False
    package_file: str | None = None
    filestore: str | None = None
    workspace: str | None = None


@dataclass(frozen=True, slots=True)
class Tree:
    """The services of one runsvdir: those of the host or of one user.

    account: who owns the tree; realm: in whose hands its paths lie; logs: the directory of the log directories, log_realm: in whose
    hands those lie. folders: directories of the system that hold some of its own. purge: the key that wants nothing else in it, or
    None. drops_logs: services that go take their logs with them. origins: where each of its places was written, by its key.
    """

    account: Account
    realm: Realm
    service_directory: str
    definitions: str
    logs: str
    services: tuple[Service, ...]
    origin: Origin
    log_realm: Realm = SYSTEM
    folders: tuple[str, ...] = ()
    purge: Origin | None = None
    drops_logs: bool = False
    origins: Mapping[str, Origin] = field(default_factory=dict, compare=False)

    def origin_of(self, place: str) -> Origin:
        """Give what a place of the tree comes from, as its key or another in its stead says; of a default the tree."""
        return self.origins.get(place) or Origin(f"{self.origin.key}.{place}", self.origin.mark)


@dataclass(frozen=True, slots=True)
class User:
    """A user's own tree. in_profile: SVDIR is set in the user's login shells."""

    name: str
    tree: Tree
    in_profile: bool


@dataclass(frozen=True, slots=True)
class Host:
    """What a host is to be. profile: the file that login shells read, or None to write none. levels: None when all services are always
    to be supervised. template_path: folders with templates of one's own. logins, groups: accounts that the data manage.
    warnings: what the data say in vain."""

    runtime: Runtime
    tree: Tree
    users: tuple[User, ...]
    profile: str | None
    origin: Origin
    levels: Levels | None = None
    template_path: tuple[str, ...] = ()
    logins: tuple[Login, ...] = ()
    groups: tuple[Group, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def services(self) -> Iterator[Service]:
        """Give every service: the host's, then each user's, parents before what is nested in them."""
        for tree in (self.tree, *(user.tree for user in self.users)):
            yield from _all(tree.services)


def _all(services: Iterable[Service]) -> Iterator[Service]:
    for service in services:
        yield service
        yield from _all(service.children)
