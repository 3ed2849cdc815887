"""Run levels of the data: each names services that there are, and one of them is current."""

from __future__ import annotations

from collections.abc import Collection

from runit_provision.errors import nearest
from runit_provision.model.levels import Level, Levels
from runit_provision.schema.host_spec import HostSpec
from runit_provision.schema.problems import Problems

_TAKEN = ("current", "previous")
"""Names of links that runsvchdir makes beside the levels."""


def read_levels(spec: HostSpec, services: Collection[str], problems: Problems) -> Levels | None:
    """Give the levels that the data name, None when it names none; `services` are the names of the host's."""
    if not spec.levels:
        if spec.level is not None:
            problems.add(("level",), "there are no levels", hint="name the services of each in `levels`")
        return None
    for name, members in spec.levels.items():
        if name.partition(".")[0] in _TAKEN:
            problems.add(("levels", name), f"{name!r} is what runsvchdir calls a link of its own", hint="choose another name")
        for index, member in enumerate(members):
            if member not in services:
                problems.add(("levels", name, index), f"the host has no service {member!r}", hint=nearest(member, services))
    current = spec.level if spec.level is not None else "default"
    if current not in spec.levels:
        at, hint = ("level",) if spec.level is not None else ("levels",), nearest(current, spec.levels)
        problems.add(at, f"there is no level {current!r}", hint=hint or f"give `level`: {', '.join(spec.levels)}")
    found = (Level(name, frozenset(members), problems.origin(("levels", name))) for name, members in sorted(spec.levels.items()))
    return Levels(spec.levels_directory, current, tuple(found), problems.origin(("levels",)))
