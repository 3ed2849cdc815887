"""One hiera.yaml at work for one node: its levels, each with its files, asked in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.hiera.config.levels import Config, Level
from runit_provision.hiera.config.locations import Location, locate_files
from runit_provision.hiera.documents import Document, Documents, is_key_of
from runit_provision.hiera.formats.backends import Opener
from runit_provision.hiera.interpolation import Interpolation
from runit_provision.hiera.keys import Found, Key
from runit_provision.hiera.merging import Strategy
from runit_provision.hiera.scope import Scope
from runit_provision.hiera.values.secret import SecretText
from runit_provision.model.data import Array, Table

_TO = " -> "
_LEFT_OUT = " -> ... -> "
_LONG_WAY = 3


class Layer:
    """The global, the environment's or a module's hierarchy. A module's layer sees only keys that carry the module's name."""

    def __init__(self, name: str, config: Config, scope: Scope, documents: Documents, *, module: str | None = None) -> None:
        self.name = name
        self.module = module
        self.config = config
        self._levels = [_LevelFiles(level, config, scope, documents, module) for level in config.levels]
        self._defaults = [_LevelFiles(level, config, scope, documents, module) for level in config.defaults]
        self.encrypted = any(level.encrypted for level in [*self._levels, *self._defaults])
        """Whether a level has encrypted values."""

    @property
    def has_defaults(self) -> bool:
        """Whether there is a default_hierarchy."""
        return bool(self._defaults)

    def search(self, key: Key, strategy: Strategy, interpolation: Interpolation, *, defaults: bool = False) -> Found | None:
        """Ask the levels (or those of the default_hierarchy) for the root of `key`, and merge what they give."""
        with interpolation.entered(key.text), interpolation.trace.step(f"{self.name} layer", self.config.path):
            return strategy.search(
                self._defaults if defaults else self._levels,
                lambda level: level.search(key, strategy, interpolation),
                interpolation.trace,
            )

    def documents(self) -> list[Document]:
        """Give every file that is there, highest priority first."""
        return [document for level in [*self._levels, *self._defaults] for document in level.documents()]


class _LevelFiles:
    """A level and the files it means."""

    def __init__(self, level: Level, config: Config, scope: Scope, documents: Documents, module: str | None) -> None:
        self._level = level
        self._title = f'"{level.name}" ({level.mark})'
        self._files: Sequence[Location] = locate_files(config, level, scope, documents.inputs)
        self._scope = scope
        self._documents = documents
        self._known: dict[str, Document] = {}
        self._module = module
        options = Interpolation(scope, None).value(level.options, level.mark)
        self._open: Opener | None = level.backend.opener(options, documents.inputs) if level.backend.opener else None

    @property
    def encrypted(self) -> bool:
        return self._open is not None

    def documents(self) -> list[Document]:
        return [self._read(file) for file in self._files if file.exists]

    def _read(self, file: Location) -> Document:
        known = self._known.get(file.path)
        if known is None:
            known = self._known[file.path] = self._documents.read(
                file.path,
                self._level.backend.parse,
                strict=self._scope.strict,
                hash_only=self._level.backend.mapping_required,
                module=self._module,
                asked_at=self._level.mark,
            )
        return known

    def search(self, key: Key, strategy: Strategy, interpolation: Interpolation) -> Found | None:
        with interpolation.trace.step("Level", self._title):
            if not self._files:
                interpolation.trace.note(f"{self._level.where} leads to no file:", ", ".join(self._level.places))
            return strategy.search(self._files, lambda file: self._ask(file, key, interpolation), interpolation.trace)

    def _ask(self, file: Location, key: Key, interpolation: Interpolation) -> Found | None:
        trace = interpolation.trace
        with trace.step("File", file):
            if not file.exists:
                trace.note("The file does not exist")
                return None
            item = self._read(file).item(key.root) if is_key_of(self._module, key.root) else None
            if item is None:
                trace.missing(key.root)
                return None
            value, mark = _opened(item.value, self._open, item.mark, key.text) if self._open else item.value, item.mark
            if not item.plain or self._open:
                value, mark = _resolved(value, mark, interpolation, key.text)
            trace.found(key.root, value, mark)
            return Found(value, mark)


def _resolved(value: Any, mark: Mark | None, interpolation: Interpolation, key: str) -> tuple[Any, Mark | None]:
    """Give `value` with its `%{...}` replaced, and its place; what is wrong with that is of `key`, or of what it leads to."""
    try:
        return interpolation.placed(value, mark)
    except DataError as error:
        raise DataError(*(replace(problem, key=_way(key, problem.key)) for problem in error.problems)) from None


def _way(key: str, further: str) -> str:
    """Give the keys that lead to what is wrong, of a long way its ends."""
    if further == key or not further:
        return key
    is_long = further.count(_TO) >= _LONG_WAY or _LEFT_OUT in further
    return f"{key}{_LEFT_OUT}{further.rpartition(_TO)[2]}" if is_long else f"{key}{_TO}{further}"


def _opened(value: Any, opener: Opener, mark: Mark | None, key: str) -> Any:
    """Give `value` with its encrypted strings opened; what comes out is SecretText."""
    from runit_provision.hiera.formats.eyaml import is_encrypted

    match value:
        case str() if "ENC[" in value and is_encrypted(value):
            try:
                return SecretText(opener(value))
            except DataError as error:
                raise DataError(*(Problem(p.message, p.mark or mark, p.key or key, p.path, p.hint) for p in error.problems)) from None
        case Table():
            items = [(name, _opened(item, opener, value.marks.get(name, mark), key)) for name, item in value.items()]
            return Table(items, marks=value.marks, mark=value.mark)
        case Array():
            places = [*value.marks, *[mark] * (len(value) - len(value.marks))]
            items = [_opened(item, opener, place, key) for item, place in zip(value, places, strict=True)]
            return Array(items, marks=value.marks, mark=value.mark)
        case _:
            return value
