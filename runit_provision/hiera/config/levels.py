"""hiera.yaml, version 5: what it says, checked, every fault with its line.

Source: Puppet's documentation, "Hiera configuration file syntax (hiera.yaml v5)".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runit_provision.errors import DataError, Mark, Problem, nearest
from runit_provision.hiera.config.place import Place
from runit_provision.hiera.config.version_3 import as_version_5
from runit_provision.hiera.formats.backends import BACKENDS, Backend
from runit_provision.hiera.formats.files import read_yaml
from runit_provision.hiera.values.kinds import kind
from runit_provision.inputs import Inputs
from runit_provision.model.data import Array, Table

LOCATIONS = ("path", "paths", "glob", "globs", "uri", "uris", "mapped_paths")
_FUNCTIONS = ("data_hash", "lookup_key", "data_dig", "hiera3_backend")
_TOP = ("version", "defaults", "hierarchy", "plan_hierarchy", "default_hierarchy")
_DEFAULTS = ("data_hash", "lookup_key", "data_dig", "datadir", "options")
_LEVEL = ("name", "options", "datadir", *_FUNCTIONS, *LOCATIONS)
_OPTION_NAME = re.compile(r"[A-Za-z](?::?[0-9A-Za-z_-]*[0-9A-Za-z])?")
_RESERVED_OPTIONS = ("path", "uri")
_DATADIR = "data"


@dataclass(frozen=True, slots=True)
class Level:
    """One entry of the hierarchy.

    backend: reads its files; where: which of LOCATIONS tells them, with `places` as written (three for mapped_paths);
    datadir: as written; options: for the backend; mark: where the level begins.
    """

    name: str
    backend: Backend
    where: str
    places: tuple[str, ...]
    datadir: str
    options: Table
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class Config:
    """One hiera.yaml. `path` is its file, whose folder relative paths start from; `defaults` is a module's default_hierarchy."""

    path: Path
    levels: tuple[Level, ...]
    defaults: tuple[Level, ...] = ()


def read_config(path: Path, inputs: Inputs, place: Place = Place.GLOBAL) -> Config:
    """Read and check hiera.yaml at `path`; a module's alone may have a default_hierarchy.

    Raises DataError with every fault; for version 3 with the text of version 5 that would replace it.
    """
    data = read_yaml(path, inputs)
    if not isinstance(data, Table):
        hint = "a minimal one holds `version: 5`; common.yaml in the folder `data` beside it is the data then"
        raise DataError(Problem("hiera.yaml holds no hash, which means version 3 to Puppet", Mark(str(path), 1, 1), hint=hint))
    _check_version(data, place)
    return _Reader(path, data, module=place is Place.MODULE).config()


def _check_version(data: Table, place: Place) -> None:
    version = data.get("version")
    mark = data.marks.get("version") or data.mark
    if version is None and any(str(key).partition("::")[0] == "runit" for key in data):
        raise DataError(Problem("holds data, and no hierarchy", data.mark, hint="data that is resolved already is given with --data"))
    if version in (None, 3, "3"):
        what = "hiera.yaml of version 3" + ("" if place is Place.GLOBAL else ", which is for the global layer alone")
        raise DataError(Problem(what, mark, hint="replace it with this:\n" + as_version_5(data, place)))
    if version == 4 and not isinstance(version, bool):
        raise DataError(
            Problem("hiera.yaml of version 4", mark, hint="write version 5: `backend: yaml` is `data_hash: yaml_data` there")
        )
    if isinstance(version, bool) or not isinstance(version, int) or version != 5:
        shown = f'"{version}"' if isinstance(version, str) else version
        raise DataError(
            Problem(f"unsupported version {shown} of hiera.yaml", mark, key="version", hint="write `version: 5`, a bare number")
        )


class _Reader:
    """Reads one file's hash; problems are collected and raised together."""

    def __init__(self, path: Path, data: Table, *, module: bool) -> None:
        self._path = path
        self._data = data
        self._module = module
        self._problems: list[Problem] = []

    def config(self) -> Config:
        self._unknown_keys(self._data, _TOP, "")
        defaults = self._defaults()
        written = self._data.get("hierarchy")
        levels = self._implied(defaults) if written is None else self._levels("hierarchy", defaults)
        if "plan_hierarchy" in self._data:
            self._levels("plan_hierarchy", defaults)
        last: tuple[Level, ...] = ()
        if "default_hierarchy" in self._data:
            if not self._module:
                self._problem(
                    "a default_hierarchy belongs to a module's hiera.yaml", self._data, "default_hierarchy", "move it to the module"
                )
            last = self._levels("default_hierarchy", defaults)
        if self._problems:
            raise DataError(*self._problems)
        return Config(self._path, levels, last)

    def _problem(self, message: str, table: Table, key: object, hint: str = "") -> None:
        self._problems.append(Problem(message, table.marks.get(key) or table.mark, key=str(key), hint=hint))

    def _unknown_keys(self, table: Table, known: tuple[str, ...], where: str) -> None:
        for key in table:
            if key not in known:
                self._problem(f"unknown key{where}", table, key, nearest(key, known, f"known are {', '.join(known)}"))

    def _string(self, table: Table, key: str) -> str:
        value = table.get(key)
        if isinstance(value, str) and value:
            return value
        self._problem(
            "a string that is not empty is wanted" if isinstance(value, str) else f"a string is wanted, not {kind(value)}", table, key
        )
        return ""

    def _defaults(self) -> Table:
        written = self._data.get("defaults")
        if written is None:
            return Table([("datadir", _DATADIR), ("data_hash", "yaml_data")])
        if not isinstance(written, Table):
            self._problem(f"a hash is wanted, not {kind(written)}", self._data, "defaults")
            return Table()
        self._unknown_keys(written, _DEFAULTS, " in defaults")
        self._options(written)
        for name in ("datadir", *_FUNCTIONS):
            if name in written:
                self._string(written, name)
        if len([name for name in _FUNCTIONS if name in written]) > 1:
            self._problem("only one of data_hash, lookup_key and data_dig can be the default", written, "data_hash")
        return written

    def _implied(self, defaults: Table) -> tuple[Level, ...]:
        level = Table([("name", "Common"), ("path", "common.yaml")], mark=self._data.mark)
        return tuple(self._level(level, defaults))

    def _levels(self, key: str, defaults: Table) -> tuple[Level, ...]:
        written = self._data.get(key)
        if not isinstance(written, Array):
            self._problem(f"a list of levels is wanted, not {kind(written)}", self._data, key, "as `- name: common`")
            return ()
        levels: list[Level] = []
        names: dict[str, Mark | None] = {}
        for index, level in enumerate(written):
            if not isinstance(level, Table):
                mark = written.marks[index]
                self._problems.append(Problem(f"a level is a hash, not {kind(level)}", mark, key=f"{key}.{index}"))
                continue
            name = str(level.get("name"))
            if name in names:
                self._problem(
                    f"a second level `{name}`; the first is in line {getattr(names[name], 'line', '?')}",
                    level,
                    "name",
                    "names are unique",
                )
            names.setdefault(name, level.marks.get("name"))
            levels += self._level(level, defaults)
        return tuple(levels)

    def _level(self, level: Table, defaults: Table) -> Iterator[Level]:
        before = len(self._problems)
        self._unknown_keys(level, _LEVEL, " in a level")
        name = self._string(level, "name")
        backend = self._backend(level, defaults, name)
        where, places = self._where(level, name)
        datadir = self._string(level, "datadir") if "datadir" in level else defaults.get("datadir") or _DATADIR
        options = self._options(level) if "options" in level else defaults.get("options") or Table()
        if backend and options and not backend.opener:
            own = "options" in level
            hint = "leave them out" if own else "those of defaults; write `options: {}` here"
            self._problem(f"{backend.name} takes no options", level, "options" if own else "name", hint)
        if backend and len(self._problems) == before:
            yield Level(name, backend, where, places, datadir, options, level.mark)

    def _backend(self, level: Table, defaults: Table, name: str) -> Backend | None:
        own = [function for function in _FUNCTIONS if function in level]
        if len(own) > 1:
            self._problem(f"the level `{name}` has more than one of {', '.join(own)}", level, own[1], "keep one")
            return None
        table = level if own else defaults
        function = next((function for function in _FUNCTIONS if function in table), None)
        if function is None:
            self._problem(
                f"the level `{name}` has no data_hash or lookup_key, and defaults have none",
                level,
                "name",
                "add `data_hash: yaml_data`",
            )
            return None
        known_as = self._string(table, function) if own else table[function]
        if not isinstance(known_as, str) or not known_as:
            return None  # said already, here or of defaults
        backend = BACKENDS.get((function, known_as.removeprefix("::")))
        if backend is None:
            known = ", ".join(f"{kind} {known}" for kind, known in BACKENDS)
            self._problem(f"unknown backend `{known_as}`", table, function, f"known are {known}")
        return backend

    def _where(self, level: Table, name: str) -> tuple[str, tuple[str, ...]]:
        given = [key for key in LOCATIONS if key in level]
        if len(given) > 1:
            self._problem(
                f"the level `{name}` has more than one of {', '.join(given)}", level, given[1], "keep one, or make two levels"
            )
            return "", ()
        if not given:
            self._problem(f"the level `{name}` says no files", level, "name", "add one of path, paths, glob, globs, mapped_paths")
            return "", ()
        if given[0] in {"uri", "uris"}:
            hint = "only files can be read: one of path, paths, glob, globs, mapped_paths"
            self._problem("it is for functions of Ruby or Puppet code, which cannot run here", level, given[0], hint)
            return "", ()
        key = given[0]
        if key in {"path", "glob"}:
            return key, (self._string(level, key),)
        places = level[key]
        if not isinstance(places, list) or not places or not all(isinstance(place, str) and place for place in places):
            self._problem("a list of strings is wanted", level, key)
            return key, ()
        if key == "mapped_paths" and len(places) != 3:
            self._problem("three items are wanted: a fact that is a list, a variable's name, a path with that variable", level, key)
        return key, tuple(places)

    def _options(self, table: Table) -> Table:
        if "options" not in table:
            return Table()
        options = table["options"]
        if not isinstance(options, Table):
            self._problem(f"a hash is wanted, not {kind(options)}", table, "options")
            return Table()
        for name in options:
            if name in _RESERVED_OPTIONS:
                self._problem(f"the option `{name}` is reserved", options, name, "use the level's own key of that name")
            elif not (isinstance(name, str) and _OPTION_NAME.fullmatch(name)):
                self._problem("an option's name begins with a letter and has only letters, digits, _ and -", options, name)
        return options
