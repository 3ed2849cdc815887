"""Where our answer differs from Puppet's on purpose: each row a reason and what it applies to."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Answer = list[Any]


@dataclass(frozen=True)
class Difference:
    """reason: why ours is better; applies(query, theirs, ours); written: what the case's files or query have to hold for that.

    instead(text, theirs): a file's text that means the same here, and to which Puppet's answer has to be ours, if there is one.
    """

    reason: str
    applies: Callable[[dict[str, Any], Answer, Answer], bool]
    written: str = ""
    instead: Callable[[str, Answer], str] | None = None


_BREAKS = ("undefined method `resolved_status' for ", "undefined method `replace_child_in_list' for ")
"""What Ruby says of ruby-hocon's own mistakes."""

_NOWHERE = re.compile(r"Unable to parse .*: Could not resolve substitution to a value: \$\{([\w.]+)\}\Z")
"""What it says of a substitution that leads nowhere, not of one in a circle."""


def _may_be_missing(text: str, theirs: Answer) -> str:
    """The text in which the substitution that Puppet fails at is optional: one that does not count may as well be."""
    nowhere = _NOWHERE.search(theirs[1])
    return text.replace(f"${{{nowhere[1]}}}", f"${{?{nowhere[1]}}}") if nowhere else text


DIFFERENCES = (
    Difference(
        "hiera.yaml is checked when it is opened, so its faults show even when a key is asked for that cannot be looked up",
        lambda query, theirs, ours: (
            str(query["key"]).startswith("lookup_options") and theirs == ["missing"] and "hiera.yaml" in str(ours)
        ),
    ),
    Difference(
        "an unknown backend is an error when hiera.yaml is opened; Puppet tells only when the level has a file",
        lambda _query, _theirs, ours: "unknown backend `nosuch`" in str(ours),
        "data_hash: nosuch",
    ),
    Difference(
        "binary data that is no UTF-8 text refuses the file: no string can hold it; to Puppet it is a string of bytes",
        lambda _query, _theirs, ours: "binary data" in str(ours),
        "!!binary /w==",
    ),
    Difference(
        "a hash with the keys 1 and 1.0 is refused, since they are one key in Python",
        lambda _query, _theirs, ours: "another kind of number" in str(ours),
        "1.0",
    ),
    Difference(
        "for the same reason a value is refused in which an alias makes a key 1, 1.0 or true, and another of them is there",
        lambda _query, _theirs, ours: "the key stands here as another kind of number" in str(ours),
        "%{alias(",
    ),
    Difference(
        "an entry of lookup_options that is no hash is an error for its key, also when the key is nowhere and the strategy given",
        lambda query, theirs, ours: theirs == ["missing"] and "merge" in query and "options are a hash" in str(ours),
    ),
    Difference(
        "a knockout_prefix that is no regular expression is an error in every merge; to Puppet only where lists or strings meet",
        lambda _query, theirs, ours: theirs[0] != "error" and "is not a regular expression" in str(ours),
        "knockout_prefix",
    ),
    Difference(
        "a list, a hash or Sensitive that an alias puts in the place of a key is refused: no YAML can write it, no key can reach it",
        lambda _query, _theirs, ours: "a key is text, or an alias" in str(ours),
        "alias",
    ),
    Difference(
        "a list or a hash that convert_to would make a hash's key is refused for the same reason",
        lambda _query, _theirs, ours: "cannot be a key" in str(ours),
        "convert_to",
    ),
    Difference(
        "ruby-hocon breaks on some substitutions in hashes that are written in two places; here they have the specification's value",
        lambda _query, theirs, _ours: theirs[0] == "error" and any(said in theirs[1] for said in _BREAKS),
        "${",
    ),
    Difference(
        "to ruby-hocon a substitution that leads nowhere is often an error also where another value takes its place",
        lambda _query, theirs, _ours: theirs[0] == "error" and _NOWHERE.search(theirs[1]) is not None,
        "${",
        _may_be_missing,
    ),
    Difference(
        "to ruby-hocon a list beside text is an error also where another value takes its place",
        lambda _query, theirs, _ours: theirs[0] == "error" and ": Cannot concatenate object or list with a non-obj" in theirs[1],
    ),
    Difference(
        "options of a level that takes none are an error when hiera.yaml is opened; Puppet tells only when the level has a file",
        lambda _query, _theirs, ours: "takes no options" in str(ours),
        "options: {",
    ),
    Difference(
        "an empty key is nowhere; Puppet's function for encrypted levels refuses it",
        lambda query, theirs, ours: query["key"] == "" and "String[1]" in str(theirs) and ours == ["missing"],
    ),
    Difference(
        "a file behind a byte order mark is read whole, and warned of; of its keys Puppet reads the first alone",
        lambda _query, _theirs, ours: ours[0] != "error",
        "\ufeff",
    ),
    Difference(
        "half of a surrogate pair in JSON refuses the file; to Puppet it is a string of broken UTF-8",
        lambda _query, _theirs, ours: "surrogate" in str(ours),
        "\\ud",
    ),
)


def allowed(text: str, query: dict[str, Any], theirs: Answer, ours: Answer) -> Difference | None:
    """Give the row that explains why the answers differ, or None; `text` is that of the case's files."""
    written = f"{text}\n{query}"
    return next((row for row in DIFFERENCES if row.written in written and row.applies(query, theirs, ours)), None)
