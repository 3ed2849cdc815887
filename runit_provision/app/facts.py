"""A node's facts: from a file, from this machine's facter, or given one by one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runit_provision.errors import DataError, Problem
from runit_provision.inputs import Inputs
from runit_provision.model.data import Table


def gather(file: Path | None, single: Mapping[str, Any], inputs: Inputs, *, ask_facter: bool, legacy: bool) -> Table:
    """Give the facts of `file`, or else what facter says when it is to be asked and is there, with the single ones set.

    legacy: also the flat facts of old (`fqdn`, `osfamily`), as Puppet 7 has them. Raises DataError or HostError.
    """
    from runit_provision.hiera import read_facts

    if file is not None:
        return set_facts(read_facts(file, inputs), single)
    return set_facts(_said_by_facter(inputs, legacy=legacy) if ask_facter else Table(), single)


def _said_by_facter(inputs: Inputs, *, legacy: bool) -> Table:
    from runit_provision.hiera import parse_facts
    from runit_provision.host import facter

    text = facter.facts(inputs, legacy=legacy)
    return Table() if text is None else parse_facts(text, facter.NAME)


def set_facts(facts: Table, single: Mapping[str, Any]) -> Table:
    """Give the facts with single ones set: `os.family` is the item `family` of the fact `os`.

    Raises DataError when one would take away what another says.
    """
    changed = Table(facts.items(), marks=facts.marks, mark=facts.mark)
    before: list[str] = []
    for name, value in single.items():
        if within := next((other for other in before if other.startswith(f"{name}.")), None):
            raise DataError(Problem(f"it would take `{within}` away", key=f"fact {name}", hint="give the part after the whole"))
        before.append(name)
        *folders, last = name.split(".")
        table = changed
        for depth, folder in enumerate(folders, 1):
            inner = table.get(folder, Table())
            if not isinstance(inner, Table):
                whole = ".".join(folders[:depth])
                message = f"`{whole}` is no hash, so that it cannot have parts"
                raise DataError(
                    Problem(message, table.marks.get(folder), key=f"fact {name}", hint=f"give `{whole}` by its parts alone")
                )
            table[folder] = Table(inner.items(), marks=inner.marks, mark=inner.mark)
            table = table[folder]
        table[last] = value
    return changed
