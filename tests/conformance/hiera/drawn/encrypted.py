"""Levels with encrypted values, merged, interpolated, converted and dug into."""

from __future__ import annotations

from typing import Any

from conformance.hiera.case import Case
from conformance.hiera.drawn.values import asked
from hypothesis import strategies as st

CLEAR = {
    "CLOSED-TEXT": "s3cret",
    "CLOSED-LINE": "s3cret line\n",
    "CLOSED-ROLE": "<%{role}>",
    "CLOSED-CALL": "%{lookup('b')}",
    "CLOSED-ALIAS": "%{alias('c')}",
    "CLOSED-NUMBER": "12",
    "CLOSED-YES": "yes",
    "CLOSED-EMPTY": "\n",
    "CLOSED-UTF": "\u00fc\u4e2d",
    "CLOSED-KNOCKOUT": "--x",
}
"""What is encrypted, by the word that stands for it."""
_TEXTS = (
    *(f"'{before}{word}{after}'" for word in CLEAR for before, after in (("", ""), ("x ", " y"), ("", "%{role}"))),
    *("'CLOSED-TEXT CLOSED-NUMBER'", "'ENC[GPG,aGFsbG8=]'", "'ENC[aGFsbG8=]'", "'see ENC[...]'", "'ENC[]'", "plain", "x", "12", "~"),
    *(
        f"'{before}%{{{method}(\"{key}\")}}{after}'"
        for method in ("lookup", "alias")
        for key in "abc"
        for before, after in (("", ""), ("<", ">"))
    ),
)
_TYPES = (
    "Integer",
    "Float",
    "String",
    "Boolean",
    "Array",
    "[Array, true]",
    "Hash",
    "'Array[String]'",
    "'Enum[yes, x]'",
    "'Optional[Integer]'",
)
_MERGES = ("first", "unique", "hash", "deep", "{strategy: deep, knockout_prefix: '--'}", "{strategy: deep, sort_merged_arrays: true}")
_leaves = st.sampled_from(_TEXTS)
_names = st.sampled_from(["x", "y", "'k%{lookup(\"b\")}'"])
_KEYS = ("a", "b", "c")


def _flow(value: Any) -> str:
    match value:
        case list():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
        case _:
            return str(value)


_values = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=2), max_leaves=4
).map(_flow)


@st.composite
def encrypted_levels(draw: st.DrawFn) -> Case:
    """Two encrypted levels and a plain one; the words are still to be replaced (support.encrypted)."""
    options = {
        key: f"{{merge: {draw(st.sampled_from(_MERGES))}"
        + (f", convert_to: {draw(st.sampled_from(_TYPES))}}}" if draw(st.booleans()) else "}")
        for key in draw(st.lists(st.sampled_from(_KEYS), max_size=2, unique=True))
    }
    files = {
        f"data/{name}.yaml": "".join(
            f"{key}: {draw(_values)}\n" for key in draw(st.lists(st.sampled_from(_KEYS), max_size=3, unique=True))
        )
        for name in ("one", "two", "plain")
    }
    files["data/plain.yaml"] += f"lookup_options: {{{', '.join(f'{key}: {said}' for key, said in options.items())}}}\n"
    files["hiera.yaml"] = (
        "version: 5\nhierarchy:\n"
        "  - {name: one, lookup_key: eyaml_lookup_key, paths: [one.yaml, two.yaml], options: EYAML-OPTIONS}\n"
        "  - {name: plain, path: plain.yaml}\n"
    )
    return Case(files, draw(asked(_KEYS)), draw(st.booleans()))
