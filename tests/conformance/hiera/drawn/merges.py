"""Merges of two or three values, and what lookup_options say of them."""

from __future__ import annotations

from functools import cache
from typing import Any

from conformance.hiera.case import Case
from conformance.hiera.drawn.values import KEYS, rarely, values
from hypothesis import strategies as st

MERGES = (
    *("first", "unique", "hash", "deep", "default", "reverse_deep", "{strategy: deep}", "{strategy: first}", "{strategy: unique}"),
    *(
        "{strategy: deep, knockout_prefix: '--'}",
        "{strategy: deep, sort_merged_arrays: true}",
        "{strategy: deep, merge_hash_arrays: true}",
    ),
    "{strategy: deep, knockout_prefix: '--', merge_hash_arrays: true, sort_merged_arrays: true}",
    *("{strategy: deep, knockout_prefix: '.'}", "{strategy: deep, bogus: 1}", "{strategy: hash, bogus: 1}", "bogus", "{}", "~", "5"),
)

_STRATEGIES: tuple[Any, ...] = (
    *(
        "first",
        "unique",
        "hash",
        "deep",
        "reverse_deep",
        "unconstrained_deep",
        "bogus",
        "",
        {},
        {"strategy": "deep"},
        {"strategy": None},
        ["deep"],
    ),
    *(
        {"strategy": "deep", option: value}
        for option in ("sort_merged_arrays", "merge_hash_arrays", "merge_debug")
        for value in (False, None, "x")
    ),
    *({"strategy": "deep", "knockout_prefix": prefix} for prefix in ("--", "-", "(", "", None, 5, "f|b", "--", "[a-f]")),
    *({"strategy": "unconstrained_deep", "overwrite_arrays": True}, {"strategy": "unconstrained_deep", "extend_existing_arrays": True}),
    {"strategy": "deep", "knockout_prefix": "--", "sort_merged_arrays": True, "merge_hash_arrays": True},
    {"strategy": "reverse_deep", "knockout_prefix": "--"},
)

_PATTERNS = ("'^a$'", "'^[abm]'", "'^m::'", "'^other::a'", "'^(?<n>c|d)'")
_PIECES = (
    "a",
    "b",
    "m::",
    "other",
    ".",
    ".*",
    "[a-c]",
    "[^a]",
    "(?:m|other)::",
    "a|b",
    "(?i)A",
    "\\w",
    "[[:lower:]]",
    "\\W",
    "x*",
    "(a)\\1?",
)
_ENDS = ("", "", "$", "\\z", "\\b")


@cache
@st.composite
def _patterns(draw: st.DrawFn) -> str:
    """A pattern of keys: one of a few, or put together of pieces, which may be none."""
    if draw(st.booleans()):
        return draw(st.sampled_from(_PATTERNS))
    if rarely(draw, 80):
        return draw(st.sampled_from(["'^['", "'^(?<1>a)'", "'^a{2,1}'"]))
    return f"'^{''.join(draw(st.lists(st.sampled_from(_PIECES), max_size=3)))}{draw(st.sampled_from(_ENDS))}'"


_CONVERSIONS = ("Sensitive", "String", "Array", "[Array, true]", "Hash", "Integer", "'Optional[Integer]'", "[]", "~")


@cache
@st.composite
def _entries(draw: st.DrawFn) -> str:
    """What is said of one key."""
    said = [f"merge: {draw(st.sampled_from(MERGES if rarely(draw, 5) else MERGES[:13]))}"]
    if rarely(draw, 6):
        said.append(f"convert_to: {draw(st.sampled_from(_CONVERSIONS))}")
    return ", ".join(said)


@cache
@st.composite
def lookup_options(draw: st.DrawFn, *, keys: tuple[str, ...] = KEYS, patterns: tuple[str, ...] = ()) -> str:
    """The line of a data file that says how keys are merged."""
    if rarely(draw, 60):
        return draw(
            st.sampled_from(
                [
                    "lookup_options: []",
                    "lookup_options: ~",
                    "lookup_options: {a: deep}",
                    "lookup_options: {a: [x]}",
                    "lookup_options: {a: ~}",
                ]
            )
        )
    drawn = st.sampled_from(patterns) if patterns else _patterns()
    names = draw(st.lists(st.one_of(st.sampled_from(keys), drawn), min_size=1, max_size=4, unique=True))
    entries = [f"{name}: {{{draw(_entries())}}}" for name in names]
    return f"lookup_options: {{{', '.join(entries)}}}"


@st.composite
def merges(draw: st.DrawFn) -> Case:
    """Two or three files, one key, plain values without functions: everything is about the merge."""
    names = [f"{number}.yaml" for number in range(draw(st.integers(2, 3)))]
    files = {f"data/{name}": f"a: {draw(values(lookups=False, odd=False))}\n" for name in names}
    files["data/0.yaml"] += f"lookup_options: {{a: {{merge: {draw(st.sampled_from(MERGES))}}}}}\n"
    if draw(st.booleans()):
        places = f"[{{name: x, paths: [{', '.join(names)}]}}]"
    else:
        places = "[" + ", ".join(f"{{name: {name}, path: {name}}}" for name in names) + "]"
    files["hiera.yaml"] = f"version: 5\nhierarchy: {places}\n"
    asked = draw(st.sampled_from(_STRATEGIES))
    return Case(files, ({"key": "a"}, {"key": "a.x"}, {"key": "a.0"}, {"key": "a", "merge": asked}), draw(st.booleans()))
