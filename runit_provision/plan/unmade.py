"""What becomes of the rest when an account, a group or a home could not be made; no disk.

All that is such an account's, and every service with a file that is to be its or such a group's, stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from runit_provision.errors import Problem
from runit_provision.model.observed import Observed
from runit_provision.model.plan import LoginStep
from runit_provision.model.tree import Node, RenderedTree

_GONE = "was made, and is not there"


@dataclass(frozen=True, slots=True)
class Unmade:
    """Why: by the name of the account, or of the group."""

    accounts: Mapping[str, Problem] = field(default_factory=dict)
    groups: Mapping[str, Problem] = field(default_factory=dict)

    @classmethod
    def of(cls, steps: Iterable[LoginStep], why: Mapping[LoginStep, Problem]) -> Unmade:
        """Give what `steps`, which are still to be done though all were tried, leave unmade; why: what was wrong with each."""
        accounts: dict[str, Problem] = {}
        groups: dict[str, Problem] = {}
        for step in steps:
            lost = Problem(f"{step.kind} {step.name} {_GONE}", mark=step.origin.mark, key=step.origin.key, hint="apply again")
            if step.login:
                accounts.setdefault(step.login.name, why.get(step, lost))
            elif step.group:
                groups[step.group.name] = why.get(step, lost)
        return cls(accounts, groups)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Each once."""
        return tuple(dict.fromkeys((*self.groups.values(), *self.accounts.values())))

    def without(self, tree: RenderedTree) -> RenderedTree:
        """Give a tree without what belongs to no service and is to be such an account's: shared directories, which nobody remembers."""
        return replace(tree, nodes=tuple(node for node in tree.nodes if node.service or not self._owner(node)))

    def around(self, tree: RenderedTree, observed: Observed) -> Observed:
        """Give what was observed, with all refused that is such an account's, or has a file that is to be."""
        refused = {realm: (problem,) for realm in {node.realm for node in tree.nodes} if (problem := self._account(realm.account))}
        barred = {node.service: (problem,) for node in tree.nodes if node.service and (problem := self._owner(node))}
        return replace(observed, refused={**observed.refused, **refused}, barred=barred)

    def _owner(self, node: Node) -> Problem | None:
        if node.owner is None:
            return None
        return self._account(node.owner.user) or (self.groups.get(node.owner.group) if node.owner.group else None)

    def _account(self, name: str | None) -> Problem | None:
        return self.accounts.get(name) if name is not None else None
