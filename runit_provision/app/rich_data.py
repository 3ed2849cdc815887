"""Secrets in a data file, in Puppet's representation of rich data: {"__ptype": "Sensitive", "__pvalue": ...}.

Source: Puppet's specification "Pcore data representation", which catalogues and `Sensitive` values in JSON follow.
"""

from __future__ import annotations

from typing import Any

from runit_provision.errors import DataError, Problem
from runit_provision.hiera import Tagged, dotted
from runit_provision.model.data import Array, Sensitive, Table

_TYPE = "__ptype"
_VALUE = "__pvalue"
_SECRET = f"a secret is written {{{_TYPE}: Sensitive, {_VALUE}: TEXT}}"


def with_secrets(data: Any) -> Any:
    """Give `data` with each hash that stands for a secret made that secret; marks stay.

    Raises DataError for all that has a tag of YAML which is unknown here: it may be meant for a secret, and its text may be a cipher.
    """
    reader = _Reader()
    result = reader.value(data, ())
    if reader.problems:
        raise DataError(*reader.problems)
    return result


class _Reader:
    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def value(self, data: Any, path: tuple[Any, ...]) -> Any:
        if isinstance(data, Table):
            if data.keys() == {_TYPE, _VALUE} and data[_TYPE] == "Sensitive":
                return Sensitive(self.value(data[_VALUE], path))
            items = [(self.value(key, path), self.value(value, (*path, key))) for key, value in data.items()]
            return Table(items, marks=data.marks, mark=data.mark, warnings=data.warnings)
        if isinstance(data, Array):
            return Array((self.value(value, (*path, place)) for place, value in enumerate(data)), marks=data.marks, mark=data.mark)
        if isinstance(data, Tagged):
            self._refuse(data, path)
        return data

    def _refuse(self, data: Tagged, path: tuple[Any, ...]) -> None:
        first = "decrypt it first, as Ansible's filter `to_json` does" if data.tag.startswith("!vault") else "remove it"
        key = dotted("", tuple(part.tag if isinstance(part, Tagged) else part for part in path))
        self.problems.append(Problem(f"the tag {data.tag} is unknown", data.mark, key=key, hint=f"{first}; {_SECRET}"))
