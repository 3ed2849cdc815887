"""convert_to: what lookup_options turn a found value into."""

from __future__ import annotations

from typing import Any

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.model.data import Sensitive


def convert(value: Any, to: list[Any], mark: Mark | None, key: str) -> Any:
    """Give `value` as the type `to[0]`, with the further items as arguments. Raises DataError when it cannot be."""
    match to[0]:
        case "Sensitive":
            return value if isinstance(value, Sensitive) else Sensitive(value)
        case name:
            raise DataError(Problem(f"convert_to `{name}` is not known", mark, key=key))
