"""lookup_options: what the data itself says about how a key is merged and converted.

An exact key stands before a pattern (`^...`); of patterns the first that matches counts, lowest level first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from runit_provision.errors import DataError, Mark, Problem, nearest
from runit_provision.hiera.keys import LOOKUP_OPTIONS, Found, Key
from runit_provision.hiera.ruby.patterns import RubyPattern
from runit_provision.hiera.values.kinds import kind
from runit_provision.hiera.values.secret import holds_secret
from runit_provision.model.data import Array, Table

_OPTIONS = ("merge", "convert_to")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is said about one key, each with its place: `merge` as written or None, `convert_to` as a list (type, arguments) or None.

    name: the key or the pattern that it is said of; written, at `mark`: the whole entry.
    """

    name: str = ""
    written: Table | None = None
    mark: Mark | None = None
    merge: Any = None
    convert_to: list[Any] | None = None
    merge_mark: Mark | None = None
    convert_mark: Mark | None = None

    def __str__(self) -> str:
        import json

        return f'"{self.name}" ({self.mark}): {json.dumps(self.written, ensure_ascii=False, default=str)}'

    @property
    def secret(self) -> bool:
        """Whether the value may become Sensitive: its type speaks of that, be it as `Optional[Sensitive]`."""
        return bool(self.convert_to) and "Sensitive" in str(self.convert_to[0])  # type: ignore[index]


NO_ENTRY = Entry()


@dataclass(frozen=True, slots=True)
class LookupOptions:
    """The options of one module's keys, or of those without a module: by exact key, and by pattern in the order they are tried.

    An entry is checked when it is used; what is wrong with that of another key stops nothing.
    """

    exact: Table
    patterns: tuple[tuple[RubyPattern, str], ...]
    warnings: tuple[Problem, ...] = ()

    def of(self, key: Key) -> Entry:
        """Give what applies to `key`; DataError when that is no hash."""
        root = str(key.root)
        if self.exact.get(root) not in (None, False) and not root.startswith("^"):
            return self._entry(root)
        return next((self._entry(name) for pattern, name in self.patterns if pattern.search(root)), NO_ENTRY)

    def _entry(self, name: str) -> Entry:
        value, mark = self.exact[name], self.exact.marks.get(name)
        match value:
            case Table():
                convert = value.get("convert_to")
                convert_to = None if convert is None else list(convert) if isinstance(convert, Array) else [convert]
                merge_mark, convert_mark = (value.marks.get(name, mark) for name in ("merge", "convert_to"))
                return Entry(name, value, mark, value.get("merge"), convert_to, merge_mark, convert_mark)
            case None | str() | False:
                return NO_ENTRY
            case _:
                raise DataError(
                    Problem(f"options are a hash, not {kind(value)}", mark, key=f"{LOOKUP_OPTIONS}.{name}", hint="as {merge: deep}")
                )


NO_OPTIONS = LookupOptions(Table(), ())


def checked(found: Found | None, module: str | None = None) -> Table | None:
    """Give the hash that was found for lookup_options, or None.

    Raises DataError when it is no hash, is encrypted, or is a module's and speaks of keys that are not the module's.
    """
    if found is None or found.value is None:
        return None
    if not isinstance(found.value, Table):
        raise DataError(Problem(f"a hash is wanted, not {kind(found.value)}", found.mark, key=LOOKUP_OPTIONS))
    if holds_secret(found.value):
        hint = "what `--explain` and errors show of it would give it away"
        raise DataError(Problem("options cannot be encrypted", found.mark, key=LOOKUP_OPTIONS, hint=hint))
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
    """Make a checked hash ready for use; DataError for a pattern that is none."""
    if options is None:
        return NO_OPTIONS
    patterns = [(RubyPattern(key, options.marks.get(key)), key) for key in options if key.startswith("^")]
    return LookupOptions(options, tuple(patterns), tuple(_ignored(options)))


def _ignored(options: Table) -> Iterator[Problem]:
    """Tell of what Puppet passes over in silence."""
    for key, value in options.items():
        where = f"{LOOKUP_OPTIONS}.{key}"
        match value:
            case str():
                yield Problem("ignored: options are a hash", options.marks.get(key), where, hint=f"write `{key}: {{merge: {value}}}`")
            case Table():
                for name in value:
                    if name not in _OPTIONS:
                        hint = nearest(name, _OPTIONS, f"known are {' and '.join(_OPTIONS)}")
                        yield Problem("ignored: no such option", value.marks.get(name), f"{where}.{name}", hint=hint)
