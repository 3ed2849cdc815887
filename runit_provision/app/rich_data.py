"""Secrets in a data file, in Puppet's representation of rich data: {"__ptype": "Sensitive", "__pvalue": ...}.

Source: Puppet's specification "Pcore data representation", which catalogues and `Sensitive` values in JSON follow.
"""

from __future__ import annotations

from typing import Any

from runit_provision.model.data import Array, Sensitive, Table

_TYPE = "__ptype"
_VALUE = "__pvalue"


def with_secrets(data: Any) -> Any:
    """Give `data` with each hash that stands for a secret made that secret; marks stay."""
    if isinstance(data, Table):
        if data.keys() == {_TYPE, _VALUE} and data[_TYPE] == "Sensitive":
            return Sensitive(with_secrets(data[_VALUE]))
        items = ((key, with_secrets(value)) for key, value in data.items())
        return Table(items, marks=data.marks, mark=data.mark, warnings=data.warnings)
    if isinstance(data, Array):
        return Array((with_secrets(value) for value in data), marks=data.marks, mark=data.mark)
    return data
