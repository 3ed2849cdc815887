"""Which files a level means for one node: paths, globs and mapped paths with their variables filled in."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import translate
from itertools import product

from runit_provision.errors import DataError, Problem
from runit_provision.hiera.config import Config, Level
from runit_provision.hiera.interpolation import Interpolation
from runit_provision.hiera.kinds import kind
from runit_provision.hiera.scope import Scope
from runit_provision.inputs import Inputs

_MAGIC = re.compile(r"[*?\[\\]")
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Location:
    """`path` is absolute or starts where hiera.yaml's path does; `written` is what hiera.yaml says."""

    path: str
    written: str
    exists: bool


def locate_files(config: Config, level: Level, scope: Scope, inputs: Inputs) -> tuple[Location, ...]:
    """Give the level's files, highest priority first, those of paths also when they do not exist.

    Raises DataError for an undefined variable in datadir (in strict mode) or a function in hiera.yaml.
    """
    datadir = Interpolation(scope, None).text(_joined(str(config.path.parent), level.datadir), level.mark)
    scope = scope.forgiving()
    interpolation = Interpolation(scope, None)
    match level.where:
        case "path" | "paths":
            return tuple(_at(datadir, interpolation.text(place, level.mark), place, inputs) for place in level.places)
        case "glob" | "globs":
            patterns = [interpolation.text(place, level.mark) for place in level.places]
            return tuple(found for pattern in patterns for found in _globbed(datadir, pattern, inputs))
        case _:
            return tuple(_mapped(datadir, level, scope, interpolation, inputs))


def _at(datadir: str, place: str, written: str, inputs: Inputs) -> Location:
    path = _joined(datadir, place)
    return Location(path, written, inputs.exists(path))


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
        yield _at(datadir, inner.text(template, level.mark), template, inputs)


def _globbed(datadir: str, pattern: str, inputs: Inputs) -> Iterator[Location]:
    full = _joined(datadir, pattern)
    for alternative in _braces(full):
        for path in _matching(alternative, inputs):
            if not inputs.is_folder(path):
                yield Location(path, full, True)


def _braces(pattern: str) -> list[str]:
    """Give the patterns that `{a,b}` stands for, in the order written; they nest."""
    parts: list[list[str]] = [[""]]
    at = 0
    while at < len(pattern):
        if pattern[at] == "{" and (end := _closing(pattern, at)):
            options = [inner for option in _split(pattern[at + 1 : end]) for inner in _braces(option)]
            parts.append(options)
            at = end + 1
        else:
            parts.append([pattern[at]])
            at += 1
    return ["".join(choice) for choice in product(*parts)]


def _closing(pattern: str, start: int) -> int:
    depth = 0
    for at in range(start, len(pattern)):
        depth += {"{": 1, "}": -1}.get(pattern[at], 0)
        if depth == 0:
            return at
    return 0


def _split(options: str) -> list[str]:
    depth, parts = 0, [""]
    for sign in options:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _matching(pattern: str, inputs: Inputs) -> Iterator[str]:
    """Give what a pattern without braces matches, each folder's names sorted bytewise; `**/` goes down through folders, not links."""
    parts = tuple(part for part in pattern.split("/") if part)
    return _below("/" if pattern.startswith("/") else "", [parts], inputs)


def _below(folder: str, patterns: list[tuple[str, ...]], inputs: Inputs) -> Iterator[str]:
    """Give what one of `patterns`, each a path's parts, matches below `folder`: a folder's name stands right before its contents."""
    patterns = list(dict.fromkeys([*patterns, *map(_without_stars, patterns)]))
    if all(len(pattern) and not _MAGIC.search(pattern[0]) for pattern in patterns):
        names = list(dict.fromkeys(pattern[0] for pattern in patterns))
    else:
        names = _names(folder, inputs)
    for name in names:
        path = os.path.join(folder, name)  # noqa: PTH118
        rests = [_rest(pattern, name, path, inputs) for pattern in patterns]
        if () in rests and inputs.is_there(path):
            yield path
        if deeper := [rest for rest in rests if rest]:
            yield from _below(path, deeper, inputs)


def _without_stars(pattern: tuple[str, ...]) -> tuple[str, ...]:
    """What is left when a leading `**/` stands for no folder at all."""
    while len(pattern) > 1 and pattern[0] == "**":
        pattern = pattern[1:]
    return pattern


def _rest(pattern: tuple[str, ...], name: str, path: str, inputs: Inputs) -> tuple[str, ...] | None:
    """What of `pattern` is still to be matched below `path`; None when `name` does not match."""
    if pattern[0] == "**" and len(pattern) > 1:
        return pattern if not name.startswith(".") and inputs.is_folder(path) and not inputs.is_link(path) else None
    return pattern[1:] if _matches(name, pattern[0]) else None


def _matches(name: str, part: str) -> bool:
    if name.startswith(".") and not part.startswith("."):
        return False
    return name == part or re.fullmatch(translate(_ESCAPED.sub(r"[\1]", part.replace("[^", "[!"))), name) is not None


def _names(folder: str, inputs: Inputs) -> list[str]:
    try:
        return inputs.names(folder or ".")
    except OSError:
        return []
