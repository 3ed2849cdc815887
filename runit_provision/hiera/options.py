"""lookup_options: what the data itself says about how a key is merged and converted.

An exact key stands before a pattern (`^...`); of patterns the first that matches counts, lowest level first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.hiera.keys import LOOKUP_OPTIONS, Found, Key, kind
from runit_provision.hiera.patterns import ruby_pattern
from runit_provision.model.data import Array, Table


@dataclass(frozen=True, slots=True)
class Entry:
    """What is said about one key: `merge` as written or None, `convert_to` as a list (type, then arguments) or None."""

    merge: Any = None
    convert_to: list[Any] | None = None
    mark: Mark | None = None


NO_ENTRY = Entry()


@dataclass(frozen=True, slots=True)
class LookupOptions:
    """Compiled options: by exact key, and by pattern in the order in which they are tried."""

    exact: Mapping[str, Entry | None]
    patterns: tuple[tuple[re.Pattern[str], Entry], ...]
    warnings: tuple[Problem, ...] = ()

    def of(self, key: Key) -> Entry:
        """Give what applies to `key`."""
        entry = self.exact.get(str(key.root))
        if entry is not None:
            return entry
        return next((entry for pattern, entry in self.patterns if pattern.search(str(key.root))), NO_ENTRY)


NO_OPTIONS = LookupOptions({}, ())


def checked(found: Found | None, module: str | None = None) -> Table | None:
    """Give the hash that was found for lookup_options, or None.

    Raises DataError when it is no hash, or a module's hash speaks of keys that are not the module's.
    """
    if found is None or found.value is None:
        return None
    if not isinstance(found.value, Table):
        raise DataError(Problem(f"a hash is wanted, not {kind(found.value)}", found.mark, key=LOOKUP_OPTIONS))
    for key in found.value:
        place = found.value.marks.get(key, found.mark)
        if not isinstance(key, str):
            raise DataError(Problem(f"a key or pattern is a string, not {kind(key)}", place, key=f"{LOOKUP_OPTIONS}.{key}"))
        if module and not key.removeprefix("^").startswith(f"{module}::"):
            hint = f"keys here start with `{module}::`, patterns with `^{module}::`"
            raise DataError(
                Problem(f"the module {module} cannot set options of others' keys", place, key=f"{LOOKUP_OPTIONS}.{key}", hint=hint)
            )
    return found.value


def compiled(options: Table | None) -> LookupOptions:
    """Make a checked hash ready for use; DataError for a pattern that is none or an entry of a wrong type."""
    if options is None:
        return NO_OPTIONS
    exact: dict[str, Entry | None] = {}
    patterns: list[tuple[re.Pattern[str], Entry]] = []
    warnings: list[Problem] = []
    for key, value in options.items():
        mark = options.marks.get(key)
        if isinstance(value, str):
            hint = f"write `{key}: {{merge: {value}}}`"
            warnings.append(Problem("ignored: options are a hash", mark, key=f"{LOOKUP_OPTIONS}.{key}", hint=hint))
        entry = _entry(value, mark, key)
        if key.startswith("^"):
            patterns.append((ruby_pattern(key, mark), entry or NO_ENTRY))
        else:
            exact[key] = entry
    return LookupOptions(exact, tuple(patterns), tuple(warnings))


def _entry(value: Any, mark: Mark | None, key: str) -> Entry | None:
    match value:
        case None | False:
            return None
        case Table():
            convert = value.get("convert_to")
            convert_to = None if convert is None else list(convert) if isinstance(convert, Array) else [convert]
            return Entry(value.get("merge"), convert_to, value.marks.get("convert_to") or mark)
        case str():
            return Entry(mark=mark)
        case _:
            raise DataError(
                Problem(f"options are a hash, not {kind(value)}", mark, key=f"{LOOKUP_OPTIONS}.{key}", hint="as {merge: deep}")
            )
