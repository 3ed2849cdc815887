"""Keys, values and facts: small names, so that they clash, and the odd corners of scalars and of text with variables in it."""

from __future__ import annotations

from functools import cache
from typing import Any

from conformance.hiera.case import FACTS
from hypothesis import strategies as st

KEYS = ("a", "b", "c", "d", "m::a", "m::b", "other::a")
"""What data files hold at their top, and what is asked for."""

_NAMES = ("x", "y", "z", "'p.q'", "1", "'1'", "'k%{facts.role}'", "'%{alias(\"a\")}'", "'%{lookup(\"c.x\")}'")

PLAIN = (
    *("1", "0", "-1", "1,000", "08:30", "0:1", "1:2", "0755", "0o755", "1e3", "1.0e+3", "1.", ".5", "1_000", "0x1F", "190:20:30.15"),
    *("yes", "no", "on", "Off", "true", "FALSE", "~", "null", "", "=", "!x foo", '!!int "5"', "!!str 5", ".inf", "-.inf", "2.50"),
    *("foo", "bar", "n", "y", "--", "--foo", "--1", "~x", "foo bar", "1:60", "08", "1.0", "1e400"),
)

_REFUSED = (":sym", "2020-01-01", "0x_", ".e+1", "!!set {a}", "*nowhere", "{yes: 1}", "{~: 1}", "'")

TEXTS = (
    *("'foo'", "'bar'", "'--foo'", "'--'", "''", "'1'", "'a b'", "'%{'", "'%{}'", "'%{::}'", "'100%'", "'é'"),
    *("'%{role}'", "'%{facts.role}'", "'%{facts.os.family}-x'", "'%{ facts.list.1 }'", "'%{facts.os}'", "'%{facts.nul}'", "'%{nope}'"),
    *(
        "'%{facts.nope.x}'",
        "'%{trusted.certname}'",
        "'%{environment}'",
        "'%{num}'",
        "'%{float}'",
        "'%{flag}'",
        "'%{again}'",
        "'%{list}'",
    ),
    *(
        "'%{literal(\"%\")}{x}'",
        "'%{::role}'",
        "'%{scope(\"role\")}'",
        "'%{nosuch(\"a\")}'",
        "'%{facts.role.x}'",
        "'%{nul}'",
        "'%{module_name}'",
        "'%{trusted.hostname}|%{trusted.domain}|%{trusted.extensions}'",
        "'%{title}-%{server_facts}'",
        "'%{::trusted.certname} %{::::role}'",
        "'%{facts.nums.0}%{map.k1}'",
    ),
)

LOOKUPS = tuple(
    f"'{before}%{{{method}(\"{key}\")}}{after}'"
    for method in ("lookup", "hiera", "alias")
    for key in ("a", "b", "c.x", "d.1", "m::a", "nosuch", "lookup_options", "a.")
    for before, after in (("", ""), ("<", ">"))
)


def rarely(draw: st.DrawFn, times: int) -> bool:
    """True about once in `times`; hypothesis prefers the ends of a range, so the middle is rare."""
    return draw(st.integers(0, times)) == times // 2 + 1


@cache
def scalars(*, lookups: bool = True, odd: bool = True) -> st.SearchStrategy[str]:
    """A scalar as YAML's flow style writes it."""
    choices = [st.sampled_from(TEXTS), st.sampled_from([text for text in PLAIN if "," not in text])]
    if lookups:
        choices.append(st.sampled_from(LOOKUPS))
    if odd:
        choices.append(st.integers(0, 60).flatmap(lambda n: st.sampled_from(_REFUSED) if n == 31 else st.just("foo")))
    return st.one_of(choices)


@cache
def values(**kind: bool) -> st.SearchStrategy[str]:
    """A value as YAML's flow style writes it."""
    return st.recursive(scalars(**kind), _containers, max_leaves=6)


def _containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    lists = st.lists(inner, max_size=4).map(lambda items: "[" + ", ".join(items) + "]")
    pairs = st.lists(st.tuples(st.sampled_from(_NAMES), inner), max_size=3)
    return st.one_of(lists, pairs.map(lambda items: "{" + ", ".join(f"{name}: {item}" for name, item in items) + "}"))


@cache
def facts() -> st.SearchStrategy[dict[str, Any]]:
    """The usual facts, one of which is odd."""
    leaves = st.sampled_from([None, True, 0, -1, 2.5, 1e20, 1e-5, "", "x", "%{role}", "%{odd}", "%{nope}", "a\nb", "\u00e9'\"#{x}"])
    odd = st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xy0"), inner, max_size=2), max_leaves=4
    )
    roles = st.sampled_from(["web", "web", "web", "one", "common", "", "g/9", "../data/web"])
    return st.tuples(odd, roles).map(lambda drawn: {**FACTS, "odd": drawn[0], "role": drawn[1]})


@cache
def keys_asked(keys: tuple[str, ...] = KEYS) -> st.SearchStrategy[str]:
    """A key, mostly one that is there, often dotted."""
    subkeys = st.sampled_from(
        [".x", ".y.z", ".0", ".1", ".'p.q'", ".'1'", ".-1", ".+1", ".01", ".x.x", ".k%{facts.role}", ".kweb", "."]
    )
    dotted = st.tuples(st.sampled_from(keys), subkeys).map("".join)
    return st.one_of(
        st.sampled_from(keys), dotted, st.sampled_from(["nosuch", "lookup_options", "lookup_options.a", "", "'a'", '"a".x', "1.a"])
    )


@cache
@st.composite
def queries(draw: st.DrawFn, keys: tuple[str, ...] = KEYS) -> dict[str, Any]:
    """A key, sometimes with a merge strategy of its own."""
    query: dict[str, Any] = {"key": draw(keys_asked(keys))}
    merges = [None, None, None, "first", "unique", "hash", "deep", {"strategy": "deep", "knockout_prefix": "--"}]
    if merge := draw(st.sampled_from(merges)):
        query["merge"] = merge
    return query


@cache
def asked(keys: tuple[str, ...] = KEYS) -> st.SearchStrategy[tuple[dict[str, Any], ...]]:
    return st.lists(queries(keys), min_size=2, max_size=5).map(tuple)
