"""A user with a tree of services as a test asks about one."""

from __future__ import annotations

from runit_provision.verify.service import Services
from runit_provision.verify.target import Target
from runit_provision.verify.tree import Tree


class User:
    """One account of the host. Every property looks anew."""

    def __init__(self, target: Target, services: Services, name: str) -> None:
        self.name = name
        self._target = target
        self._services = services

    @property
    def exists(self) -> bool:
        """True when there is an account of the name."""
        return bool(self._target.home(self.name))

    @property
    def home(self) -> str:
        """The home; empty without an account."""
        return self._target.home(self.name)

    @property
    def tree(self) -> Tree:
        """The services in ~/service."""
        return Tree(self._target, self._services, self.name)

    def __repr__(self) -> str:
        return f"<user {self.name}: {self.home or 'there is no such account'}>"
