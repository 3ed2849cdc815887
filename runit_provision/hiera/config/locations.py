"""Which files a level means for one node: paths, globs and mapped paths with their variables filled in."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.hiera.config.levels import Config, Level
from runit_provision.hiera.interpolation import Interpolation
from runit_provision.hiera.ruby.globs import ruby_glob
from runit_provision.hiera.scope import Scope
from runit_provision.hiera.values.kinds import kind
from runit_provision.inputs import Inputs


@dataclass(frozen=True, slots=True)
class Location:
    """`path` is absolute or starts where hiera.yaml's path does; `written` is what hiera.yaml says."""

    path: str
    written: str
    exists: bool

    def __str__(self) -> str:
        return f"{self.path} (from {self.written})"


def locate_files(config: Config, level: Level, scope: Scope, inputs: Inputs) -> tuple[Location, ...]:
    """Give the level's files, highest priority first, those of paths also when they do not exist.

    Raises DataError for an undefined variable in datadir (in strict mode), a function in hiera.yaml, or a folder that cannot be read.
    """
    datadir = Interpolation(scope, None).text(_joined(str(config.path.parent), level.datadir), level.mark)
    scope = scope.forgiving()
    interpolation = Interpolation(scope, None)
    match level.where:
        case "path" | "paths":
            return tuple(_at(datadir, interpolation.text(place, level.mark), place, level.mark, inputs) for place in level.places)
        case "glob" | "globs":
            patterns = [interpolation.text(place, level.mark) for place in level.places]
            return tuple(found for pattern in patterns for found in _globbed(datadir, pattern, level.mark, inputs))
        case _:
            return tuple(_mapped(datadir, level, scope, interpolation, inputs))


def _at(datadir: str, place: str, written: str, mark: Mark | None, inputs: Inputs) -> Location:
    path = _joined(datadir, place)
    with _told_at(mark):
        return Location(path, written, inputs.exists(path))


@contextmanager
def _told_at(mark: Mark | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "run as a user who may read it, or change its mode" if error.errno == errno.EACCES else ""
        raise DataError(Problem(f"cannot look into it: {error.strerror}", mark, path=str(error.filename), hint=hint)) from None
    except ValueError:
        raise DataError(Problem("a path with a null character", mark, hint="look at the facts that it is made of")) from None


def _joined(folder: str, path: str) -> str:
    """Join as Ruby's Pathname does: an absolute path stands alone, leading `..` take folders away, whatever links there are."""
    if path.startswith("/"):
        return path
    parts = path.split("/")
    while parts and parts[0] in {"..", ".", ""}:
        if parts.pop(0) == "..":
            folder = _above(folder)
    within = "" if folder in {"", "."} else folder.rstrip("/") + "/"
    return within + "/".join(parts) if parts else folder


def _above(folder: str) -> str:
    if folder in {"", "."}:
        return ".."
    head, tail = os.path.split(folder.rstrip("/"))
    return f"{folder}/.." if tail == ".." else head or ("/" if folder.startswith("/") else "")


def _mapped(datadir: str, level: Level, scope: Scope, interpolation: Interpolation, inputs: Inputs) -> Iterator[Location]:
    source, name, template = level.places
    values = interpolation.variable(source, level.mark)
    if isinstance(values, str):
        values = [values] if values else []
    if isinstance(values, dict):
        values = [[key, value] for key, value in values.items()]
    if values is None:
        return
    if not isinstance(values, list):
        raise DataError(Problem(f"mapped_paths: `{source}` is {kind(values)}, not a list", level.mark))
    for value in values:
        inner = Interpolation(scope.with_variable(name, value), None)
        yield _at(datadir, inner.text(template, level.mark), template, level.mark, inputs)


def _globbed(datadir: str, pattern: str, mark: Mark | None, inputs: Inputs) -> Iterator[Location]:
    full = _joined(datadir, pattern)
    with _told_at(mark):
        for path in ruby_glob(full, inputs):
            if not inputs.is_folder(path):
                yield Location(path, full, True)
