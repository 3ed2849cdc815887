"""Patterns of file names, as Ruby's Dir.glob reads them, in its order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fnmatch import translate
from itertools import product

from runit_provision.inputs import NOTHING, Inputs

_MAGIC = re.compile(r"[*?\[\\]")
_ESCAPED = re.compile(r"\\(.)")


def ruby_glob(pattern: str, inputs: Inputs) -> Iterator[str]:
    """Give what `pattern` matches: names sorted bytewise, what `{b,a}` stands for in the order written, dotfiles only by name.

    Raises OSError for a folder that is there and cannot be read (Ruby passes over it in silence).
    """
    for alternative in _braces(pattern):
        yield from _matching(alternative, inputs)


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
    """Give what a pattern without braces matches, each folder's names sorted bytewise; `**/` goes down through folders, not links.

    One with `/` at its end matches folders alone.
    """
    parts = tuple(part for part in pattern.split("/") if part)
    found = _below("/" if pattern.startswith("/") else "", [parts], inputs)
    return (f"{path}/" for path in found if inputs.is_folder(path)) if pattern.endswith("/") else found


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
    except OSError as error:
        if error.errno in NOTHING:
            return []
        raise
