"""What an apply did, and what it could not do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from runit_provision.apply.teller import Teller
from runit_provision.errors import Problem, printable
from runit_provision.model.observed import Intent, Life, Owed
from runit_provision.model.plan import OF_LOG, Change, LoginStep, PathStep, Plan, ServiceStep, Verb
from runit_provision.plan.verbs import counted

_DONE = {Change.CREATE: "made", Change.REPLACE: "changed", Change.REMOVE: "removed"}


@dataclass(slots=True)
class Report:
    """logins, paths, calls: what was done. problems: what was not, each with its reason; all else was. notes: for a person to know.

    failed: the problems of each service that has any, by its id. undone: the rollback, when what could not be done whole was taken
    back.
    """

    logins: list[LoginStep] = field(default_factory=list)
    paths: list[PathStep] = field(default_factory=list)
    calls: list[ServiceStep] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failed: dict[str, list[Problem]] = field(default_factory=dict)
    undone: Report | None = None

    def add(self, *problems: Problem) -> None:
        """Note problems, each once: what one cause keeps from being done is told in one line."""
        self.problems += [problem for problem in dict.fromkeys(problems) if problem not in self.problems]

    def blame(self, service: str, *problems: Problem) -> None:
        """Note that `problems`, which stand among all of them too, are those of a service."""
        if service:
            self.failed.setdefault(service, []).extend(problems)

    def place(self, placed: Callable[[Problem], Problem]) -> None:
        """Let every problem name its path as `placed` does."""
        self.problems = [placed(problem) for problem in self.problems]
        self.failed = {service: [placed(problem) for problem in problems] for service, problems in self.failed.items()}
        if self.undone:
            self.undone.place(placed)

    @property
    def ok(self) -> bool:
        """False when something could not be done; exit status 1."""
        return not self.problems

    @property
    def did(self) -> bool:
        """Whether anything was done."""
        return bool(self.logins or self.paths or any(call.verb is not Verb.LEAVE for call in self.calls))

    def lines(self) -> list[str]:
        """Give it for people: notes, then the counts."""
        logins = Counter((step.kind, _DONE[step.change]) for step in self.logins)
        counts = [f"{number} {kind}{'s' * (number != 1)} {done}" for (kind, done), number in logins.items()]
        counts += [f"{len(self.paths)} path{'s' * (len(self.paths) != 1)} changed"]
        counts += counted((call for call in self.calls if call.verb is not Verb.LEAVE), done=True)
        undone = [f"rolled back: {line}" for line in self.undone.lines()] if self.undone else []
        return [*map(printable, self.notes), *([", ".join(counts)] if self.did else []), *undone]

    @property
    def outcome(self) -> str:
        """Say in one line how many problems there are, and what became of all else; empty when there are none."""
        if self.ok:
            return ""
        if self.undone:
            rest = "all was put back as it was" if self.undone.ok else "not all could be put back"
        else:
            rest = "the rest is done" if self.did else "nothing was done"
        return f"{len(self.problems)} problem{'s' * (len(self.problems) != 1)}; {rest}"

    def to_json(self) -> dict[str, Any]:
        """Give it as plain values: ok, logins, paths, services, problems, failed, notes, and rolled_back, another such or None."""
        return {
            "version": 1,
            "ok": self.ok,
            "logins": [{"kind": step.kind, "name": step.name, "change": step.change.name.lower()} for step in self.logins],
            "paths": [{"path": step.path, "change": step.change.name.lower()} for step in self.paths],
            "services": [{"service": call.service.id, "verb": call.verb.value} for call in self.calls],
            "problems": [str(problem) for problem in self.problems],
            "failed": {service: [str(problem) for problem in problems] for service, problems in sorted(self.failed.items())},
            "notes": self.notes,
            "rolled_back": self.undone.to_json() if self.undone else None,
        }


@dataclass(slots=True)
class Outcome:
    """What the parts of one apply tell each other.

    places: where each path that is made is made first. failed: paths that are not as planned; broken: services that have such; held:
    services whose paths must not go. owed: what services were to get and did not: the next apply does it. tell: shows how far it is.
    """

    plan: Plan
    report: Report
    intents: dict[str, Intent]
    places: dict[str, str] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    owed: list[Owed] = field(default_factory=list)
    tell: Teller = field(default_factory=Teller)

    def owe(self, step: ServiceStep) -> None:
        """Note that a service did not get what it needs."""
        lives = self.plan.lives.get(step.service.id, (Life(), Life()))
        self.owed.append(Owed(step.verb.value, step.service.id, lives[step.verb in OF_LOG]))

    def fail(self, step: PathStep, *problems: Problem) -> None:
        """Mark one path as not done, for what `problems` say."""
        self.failed.add(step.path)
        if step.service:
            self.broken.add(step.service)
            self.report.blame(step.service, *problems)

    def is_broken(self, service: str) -> bool:
        """Whether `service`, or the directory whose services it runs, is not as planned: then it is not to be started."""
        tree = self.plan.manifest.services.get(service)
        return service in self.broken or (tree is not None and tree.scans in self.failed)
