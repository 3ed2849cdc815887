"""Patterns of file names, as Ruby's Dir.glob reads them, in its order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from itertools import product

from runit_provision.inputs import NOTHING, Inputs

_MAGIC = re.compile(r"[*?\[\\{]")
_CLASS = re.compile(r"\[(?P<negated>[!^]?)(?P<items>(?:(?!\])(?:\\.|[^\\])(?:-(?!\])(?:\\.|[^\\]))?)*)\]", re.DOTALL)
_ITEM = re.compile(r"\\?(?P<low>.)(?:-\\?(?P<high>.))?", re.DOTALL)
_NEVER = "(?!)"
_SIGN = re.compile(r"\\.|.", re.DOTALL)
"""A letter, or what a backslash takes the meaning from."""
_LONE = re.compile(r"(?<!\\)(?:\\\\)*\\\Z")
"""A backslash at the end that nothing follows."""


def ruby_glob(pattern: str, inputs: Inputs) -> Iterator[str]:
    """Give what `pattern` matches: names sorted bytewise, what `{b,a}` stands for in the order written, dotfiles only by name.

    What braces stand for comes in turns within the folder that they stand in; behind `**/` it is one name's pattern.
    Raises OSError for a folder that is there and cannot be read (Ruby passes over it in silence).
    """
    for alternative in _braces(pattern) if _parts_paths(pattern) else [pattern]:
        yield from _matching(alternative, inputs)


@cache
def _has_braces(pattern: str) -> bool:
    return "{" in _SIGN.findall(pattern)


def _parts_paths(pattern: str) -> bool:
    """Whether a slash stands between braces, or a brace is not closed."""
    depth = 0
    for sign in _SIGN.findall(pattern):
        depth = max(depth + {"{": 1, "}": -1}.get(sign, 0), 0)
        if sign == "/" and depth > 0:
            return True
    return depth > 0


def _braces(pattern: str) -> list[str]:
    """Give the patterns that `{a,b}` stands for, in the order written; they nest. A brace that is not closed matches nothing."""
    parts: list[list[str]] = [[""]]
    at = 0
    while at < len(pattern):
        end = at + 1
        if pattern[at] == "{":
            end = _closing(pattern, at)
            if not end:
                return []
            parts.append([inner for option in _split(pattern[at + 1 : end - 1]) for inner in _braces(option)])
        else:
            end += pattern[at] == "\\"
            parts.append([pattern[at:end]])
        at = end
    return ["".join(choice) for choice in product(*parts)]


def _closing(pattern: str, start: int) -> int:
    """Give where what the brace at `start` opens has ended, or 0."""
    depth = 0
    for sign in _SIGN.finditer(pattern, start):
        depth += {"{": 1, "}": -1}.get(sign[0], 0)
        if depth == 0:
            return sign.end()
    return 0


def _split(options: str) -> list[str]:
    depth, parts = 0, [""]
    for sign in _SIGN.findall(options):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _matching(pattern: str, inputs: Inputs) -> Iterator[str]:
    """Give what a pattern without braces matches, each folder's names sorted bytewise; `**/` goes down through folders, not links.

    One with `/` at its end matches folders alone; a lone backslash there is none.
    """
    pattern = pattern.removesuffix("\\") if _LONE.search(pattern) else pattern
    parts = tuple(filter(None, _names_of(pattern)))
    if not parts:
        return iter(())  # the root alone, which is no file
    found = _below("/" if pattern.startswith("/") else "", [parts], inputs)
    return (f"{path}/" for path in found if inputs.is_folder(path)) if pattern.endswith("/") else found


def _names_of(pattern: str) -> list[str]:
    """Give the patterns of single names; within brackets a slash parts nothing."""
    names, is_open = [""], False
    for sign in _SIGN.findall(pattern):
        is_open = sign == "[" or (is_open and sign != "]")
        if sign == "/" and not is_open:
            names.append("")
        else:
            names[-1] += sign
    return names


def _below(folder: str, patterns: list[tuple[str, ...]], inputs: Inputs) -> Iterator[str]:
    """Give what one of `patterns`, each a path's parts, matches below `folder`: a folder's name stands right before its contents."""
    patterns = list(dict.fromkeys([*patterns, *map(_without_stars, patterns)]))
    if len(patterns) == 1 and _has_braces(patterns[0][0]):
        for alternative in _braces("/".join(patterns[0])):
            if parts := tuple(filter(None, _names_of(alternative))):
                yield from _below(folder, [parts], inputs)
        return
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
    if _has_braces(part):
        return any(_matches(name, alternative) for alternative in _braces(part))
    if name.startswith(".") and not part.removeprefix("\\").startswith("."):
        return False
    return _expression(part).fullmatch(name) is not None


@cache
def _expression(part: str) -> re.Pattern[str]:
    """Give the regular expression of one name's pattern; a bracket that is not closed matches nothing."""
    parts: list[str] = []
    at = 0
    while at < len(part):
        sign, at = part[at], at + 1
        match sign:
            case "*":
                parts.append(".*")
            case "?":
                parts.append(".")
            case "[":
                class_ = _CLASS.match(part, at - 1)
                parts.append(_one_of(class_["items"], negated=bool(class_["negated"])) if class_ else _NEVER)
                at = class_.end() if class_ else len(part)
            case "\\" if at < len(part):
                parts.append(re.escape(part[at]))
                at += 1
            case _:
                parts.append(re.escape(sign))
    return re.compile("".join(parts), re.DOTALL)


def _one_of(items: str, *, negated: bool) -> str:
    """Give the expression of a class: of a range that runs backwards only its ends belong to it."""
    ranges = [(item["low"], item["high"] or item["low"]) for item in _ITEM.finditer(items)]
    if not ranges:
        return "." if negated else _NEVER
    written = (f"{re.escape(low)}-{re.escape(high)}" if low <= high else re.escape(low) + re.escape(high) for low, high in ranges)
    return f"[{'^' if negated else ''}{''.join(written)}]"


def _names(folder: str, inputs: Inputs) -> list[str]:
    try:
        return inputs.names(folder or ".")
    except OSError as error:
        if error.errno in NOTHING:
            return []
        raise
