"""Single files: YAML's block style and scalars, JSON."""

from __future__ import annotations

import json

from conformance.hiera.case import Case
from conformance.hiera.drawn.values import PLAIN
from hypothesis import strategies as st

_LINES = (
    *(
        "a: &x {x: 1, y: 2}",
        "a: &x [{x: 1}, {y: 2}]",
        "a: &x 5",
        "a: &y {x: 3, z: *x}",
        "b: *x",
        "b: {<<: *x, y: 5}",
        "b: {y: 5, <<: *x}",
        "b: &x *x",
    ),
    *(
        "b: {<<: [*x, {x: 9, w: 1}]}",
        "b: {'<<': *x}",
        "b: {!!str <<: *x}",
        "b: {<<: 5}",
        "b: {<<: ~, <<: [5]}",
        "<<: {c: 1, d: 2}",
        "<<: *x",
    ),
    *(
        "c: |\n  text\n   more\n",
        "c: >\n  folded\n  text\n\n  more",
        "c: |-\n  text",
        "c: |+\n  text\n\n",
        "c: >-\n    a\n     b\n    c",
        "c: |2\n    x",
    ),
    *(
        "c:\n  - 1\n  -\n    - 2\n  - x: 1\n    y: 2",
        "c:\n- a\n- b",
        "c:\n  x:\n    y: 1\n  ? z\n  : 2",
        "c: ? x",
        'c: "a\\x41\\u00e9\\n\\tb"',
        "c: 'it''s'",
    ),
    *(
        "d: !!str 5",
        "d: !!float 5",
        "d: !!float x",
        "d: !float '1.5'",
        "d: !!int '0x1F'",
        "d: !!bool 'yes'",
        "d: !!null x",
        "d: !!binary aGFsbG8=",
        "d: !!binary /w==",
    ),
    *(
        "d: !str 5",
        "d: !x {a: 1}",
        "d: !x [1]",
        "d: !!omap [{a: 1}]",
        "d: !!set {a}",
        "d: !ruby/sym x",
        "d: !ruby/object:X {}",
        "d: !!seq [1]",
        "d: !!map {a: 1}",
    ),
    *(
        "d: !!timestamp x",
        "d: !!python/none x",
        "d: !ruby/regexp /x/",
        "d: !ruby/range 1..2",
        "d: !str:X y",
        "d: ! 5",
        "d: !<tag:yaml.org,2002:str> 5",
    ),
    *(
        "a: 1 # comment",
        "# comment",
        "---",
        "...",
        "%YAML 1.1",
        "%YAML 1.2",
        "%TAG ! x",
        "--- {a: 1}",
        "a : 1",
        "a:1",
        "? [q]\n: 1",
        "? {q: 1}\n: 1",
        "1: x",
    ),
    *(
        "a: {x: 1,}",
        "a: [1,]",
        "a: [1,,2]",
        "a: {x}",
        "a: {x: , y: 1}",
        "a: [x: 1, y: 2]",
        "a: @x",
        "a: `x",
        "a: %x",
        "a: x: y",
        "a: - x",
        "a: 'x",
        "- x",
        "a: &z",
        "b: *z",
    ),
    *(
        "  a: 1",
        "a:\n\t- 1",
        "a:\t1",
        "a: 1\t",
        'a: "\\q"',
        "a: x\u00a0y",
        "\u00e9: 1",
        "a: \U0001f600",
        'a: "\\ud83d\\ude00"',
        ":a: 1",
        ":b: {:x: 1}",
        "b: [:x]",
    ),
    *(
        "a: '1'",
        'a: "~"',
        "a: ~",
        "a:",
        "a: ''",
        "a: |",
        "a: >",
        "a: {? x}",
        "a: &x",
        "true: 1",
        "~: 1",
        "a: {true: 1}",
        "a: {1.5: x}",
        "a: {1: x, 1.0: y}",
        "a: {1.0: x}",
        "a: {0x1: x, 1: y}",
        "a: {2020-01-01: x}",
    ),
)


@st.composite
def documents(draw: st.DrawFn) -> Case:
    """One file in YAML's block style: anchors, aliases, merge keys, blocks of text, tags, comments, several documents."""
    lines = draw(st.lists(st.sampled_from(_LINES), min_size=1, max_size=6))
    files = {"hiera.yaml": "version: 5\n", "data/common.yaml": "".join(line + "\n" for line in lines)}
    return Case(files, tuple({"key": key} for key in ("a", "b", "c", "d", "a.x", "a.1")), draw(st.booleans()))


@st.composite
def yaml_scalars(draw: st.DrawFn) -> Case:
    """One file of unquoted scalars."""
    letters = (
        st.text("0123456789_,.:-+eExXbo~ynNYtTfaZ=<! ", min_size=1, max_size=7).map(str.strip).filter(lambda text: "#" not in text)
    )
    scalar = st.one_of(st.sampled_from(PLAIN), letters)
    data = "".join(f"{key}: {draw(scalar)}\n" for key in ("a", "b", "c"))
    files = {"hiera.yaml": "version: 5\n", "data/common.yaml": data}
    return Case(files, tuple({"key": key} for key in ("a", "b", "c")), draw(st.booleans()))


@st.composite
def json_files(draw: st.DrawFn) -> Case:
    """One file of JSON, often broken by one change."""
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=5),
        st.just("%{role}"),
    )
    nested = st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=6
    )
    text = json.dumps({"a": draw(nested), "b": draw(nested)}, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(text)))
        text = (
            text[:at]
            + draw(st.sampled_from(["", ",", "/* x */", "// x\n", "// x", "\t", "'", "1", "-", "NaN", "0", ".", "\\", "\ufeff", "e5"]))
            + text[at + draw(st.integers(0, 1)) :]
        )
    files = {"hiera.yaml": "version: 5\nhierarchy: [{name: x, data_hash: json_data, path: x.json}]\n", "data/x.json": text}
    return Case(files, ({"key": "a"}, {"key": "b"}), draw(st.booleans()))


_HOCON = (
    *(
        "a = 1",
        "a = 1.0",
        "a = 1e3",
        "a = -5",
        "a = 010",
        "a = 09",
        "a = .5",
        "a = 0x1F",
        "a = 3.5.6",
        "a = 10s",
        "a = 5 days",
        "a = 1 2",
    ),
    *("a = true", "a = TRUE", "a = yes", "a = null", "a = null x", "a = true1", "a = x y  z ", 'a = x"y"z', 'a = "x" "y"', "a = a/b"),
    *('a = "\\u0041\\n"', 'a = """x\ny"""', 'a = "%{role}"', "a = [1,2\n3]", "a = [1,,2]", "a = [1,2,]", "a = [x y, z]", "a = ${b}"),
    *("i = ${?j}", "j = ${?i}", "i = 1 ${?j}", "j = ${?i} 2", "i = [1]", "j = ${?k}", "k = ${?i}", "i.x = ${?j.x}", "j.x = ${?i.x}"),
    *("i = ${?j} [2]", "j = ${?i} [3]", "k = [{x += 1}]", "k = {x = ${?i}}", "i = {y = ${?k}}"),
    *("e = ${f.x}", "e = ${?f.x}", "f = ${g}", "f = ${?g}", "g = {x = ${a}}", "g = ${h}", "h = {x = 3}", "g = {x = ${e}}"),
    *("a = ${?nope}", "a = ${nope}", "a = x${?nope}y", "a += 1", "a = [1]", "a += [2]", "a = 5", "a.x = 1", 'a."p.q" = 2', '"a.b" = 2'),
    *(
        "b = {x = 1}",
        "b = ${a}",
        "b : [1] [2]",
        "b = ${a} [3]",
        "b {x = 2}",
        "c = ${a}${b}",
        "c = {x = ${a}}",
        'include "x"',
        "# comment",
    ),
    *(
        "// comment",
        "b = [{x=1}, {y=2}]",
        "d = [",
        "d = }",
        'd = "x',
        "d = 5,",
        "{d = 1}",
        "m::a = 1",
        '"m::a" = 1',
        "d.1 = 2",
        "[1]",
    ),
)


@st.composite
def hocon_files(draw: st.DrawFn) -> Case:
    """One file of HOCON."""
    lines = draw(st.lists(st.sampled_from(_HOCON), min_size=1, max_size=5, unique=True))
    files = {
        "hiera.yaml": "version: 5\nhierarchy: [{name: x, data_hash: hocon_data, path: x.conf}]\n",
        "data/x.conf": "".join(line + "\n" for line in lines),
    }
    return Case(files, tuple({"key": key} for key in ("a", "b", "c", "d", "e", "f", "i", "j", "k", "m::a", "a.x")), draw(st.booleans()))
