"""Hierarchies with data, options, facts and keys, drawn by hypothesis: small names, so that they clash, and YAML's odd corners."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

KEYS = ("a", "b", "c", "d", "m::a", "m::b", "other::a")
"""What data files hold at their top, and what is asked for."""

_NAMES = ("x", "y", "z", "'p.q'", "1", "'1'", "'k%{facts.role}'")
_PLAIN = (
    *("1", "0", "-1", "1,000", "08:30", "0:1", "1:2", "0755", "0o755", "1e3", "1.0e+3", "1.", ".5", "1_000", "0x1F", "190:20:30.15"),
    *("yes", "no", "on", "Off", "true", "FALSE", "~", "null", "", "=", "!x foo", '!!int "5"', "!!str 5", ".inf", "-.inf", "2.50"),
    *("foo", "bar", "n", "y", "--", "--foo", "--1", "~x", "foo bar", "1:60", "08", "1.0", "1e400"),
)
_REFUSED = (":sym", "2020-01-01", "0x_", ".e+1", "!!set {a}", "*nowhere", "{yes: 1}", "{~: 1}", "'")
_TEXTS = (
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
    ),
)
_LOOKUPS = tuple(
    f"'{before}%{{{method}(\"{key}\")}}{after}'"
    for method in ("lookup", "hiera", "alias")
    for key in ("a", "b", "c.x", "d.1", "m::a", "nosuch", "lookup_options", "a.")
    for before, after in (("", ""), ("<", ">"))
)
_MERGES = (
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
        "a: {2020-01-01: x}",
    ),
)
_PATTERNS = ("'^a$'", "'^[abm]'", "'^m::'", "'^other::a'", "'^(?<n>c|d)'", "'^['")
_FACTS = {
    "role": "web",
    "os": {"family": "Debian", "release": {"major": "12"}},
    "list": ["one", "two"],
    "empty": [],
    "num": 5,
    "float": 1.5,
    "flag": True,
    "nul": None,
    "again": "<%{role}>",
    "map": {"k1": "one", "k2": "two"},
    "quoted": 'it\'s "#{x}" \\ \t\u00e9',
}
_GLOBBED = ("g/10.yaml", "g/9.yaml", "g/b.yaml", "nodes/x.yaml", "nodes/.hidden.yaml")
_LOCATIONS: dict[str, tuple[str, ...]] = {
    "path: 'nodes/%{trusted.certname}.yaml'": ("nodes/n1.example.yaml",),
    "path: '%{role}.yaml'": ("web.yaml",),
    "path: common.yaml": ("common.yaml",),
    "path: '%{facts.os.family}.yaml'": ("Debian.yaml",),
    "paths: [one.yaml, two.yaml, missing.yaml]": ("one.yaml", "two.yaml"),
    "path: ../data/./common.yaml": ("common.yaml",),
    "path: missing.yaml": (),
    "glob: 'g/*.yaml'": _GLOBBED,
    "globs: ['g/{b,1}*.yaml', 'g/[0-9].yaml']": _GLOBBED,
    "glob: '**/*.yaml'": _GLOBBED,
    "glob: '{nodes,g}/*'": _GLOBBED,
    "glob: 'g/?.yaml'": _GLOBBED,
    "mapped_paths: [list, item, '%{item}.yaml']": ("one.yaml", "two.yaml"),
    "mapped_paths: [role, item, '%{item}.yaml']": ("web.yaml",),
    "mapped_paths: [empty, item, '%{item}.yaml']": (),
    "mapped_paths: [facts.map, kv, '%{kv.1}.yaml']": ("one.yaml", "two.yaml"),
}
"""How levels say their files, and files that they find."""

_ODD_LOCATIONS = (
    *(
        "mapped_paths: [nolevel, item, '%{item}.yaml']",
        "path: '%{nolevel}x.yaml'",
        "path: '%{nolevel}/x.yaml'",
        "path: \"%{lookup('a')}.yaml\"",
    ),
    *("mapped_paths: [num, item, '%{item}.yaml']", "mapped_paths: [os, item, '%{item.0}.yaml']", "path: g", "path: '%{nul}x.yaml'"),
)
_BROKEN_CONFIGS = (
    "version: '5'\n",
    "version: 5.0\n",
    "version: 5\nhierarchy: []\n",
    "version: 5\nhierarchy: ~\n",
    "version: 5\nbogus: 1\n",
    "version: 5\ndefaults: {datadir: data}\nhierarchy: [{name: x, path: common.yaml}]\n",
    "version: 5\nhierarchy: [{name: x, path: common.yaml}, {name: x, path: common.yaml}]\n",
    "version: 5\nhierarchy: [{name: x, path: common.yaml, glob: g/*}]\n",
    "version: 5\nhierarchy: [{name: x, paths: []}]\n",
    "version: 5\nhierarchy: [{path: common.yaml}]\n",
    "version: 5\nhierarchy: [{name: x, path: common.yaml, bogus: 1}]\n",
    "version: 5\nhierarchy: [{name: x, path: common.yaml, options: {path: y}}]\n",
    "version: 5\nhierarchy: [{name: x, path: common.yaml, data_hash: nosuch}]\n",
    "version: 5\nhierarchy: [{name: x, path: common.yaml, data_hash: yaml_data, lookup_key: eyaml_lookup_key}]\n",
    "version: 5\nhierarchy: [{name: x, path: common.yaml}]\ndefault_hierarchy: [{name: x, path: common.yaml}]\n",
    "version: 5\n:hierarchy: [{name: x, path: common.yaml}]\n",
    "version: 5\nhierarchy: [{name: x, path: g}]\n",
    "version: 5\nhierarchy: [{name: x}]\n",
)


@dataclass(frozen=True)
class Case:
    """Files below a folder that has hiera.yaml, and what is asked."""

    files: dict[str, str]
    queries: tuple[dict[str, Any], ...]
    strict: bool
    environment: bool = False
    facts: dict[str, Any] = field(default_factory=lambda: _FACTS)
    node: str = "n1.example"

    def lay(self, folder: Path) -> dict[str, Any]:
        """Write the files below `folder`; give the question that oracle.rb understands."""
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return {
            "config": str(folder / "hiera.yaml"),
            "facts": self.facts,
            "node": self.node,
            "strict": self.strict,
            "environment": str(folder / "environment") if self.environment else None,
            "modulepath": [str(folder / "modules")],
            "queries": list(self.queries),
        }


def _rarely(draw: st.DrawFn, times: int) -> bool:
    """True about once in `times`; hypothesis prefers the ends of a range, so the middle is rare."""
    return draw(st.integers(0, times)) == times // 2 + 1


@cache
def scalars(*, lookups: bool = True, odd: bool = True) -> st.SearchStrategy[str]:
    """A scalar as YAML's flow style writes it."""
    choices = [st.sampled_from(_TEXTS), st.sampled_from([text for text in _PLAIN if "," not in text])]
    if lookups:
        choices.append(st.sampled_from(_LOOKUPS))
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
@st.composite
def data_files(draw: st.DrawFn, *, keys: tuple[str, ...] = KEYS) -> str:
    """The text of one data file."""
    if _rarely(draw, 80):
        return draw(st.sampled_from(["", "[1]", "foo", "a: [", "\ta: 1", "a: 1\n---\nb: 2\n", "~", "a: \xff", "\ufeffa: 1\n"]))
    lines = [f"{key}: {draw(values())}" for key in draw(st.lists(st.sampled_from(keys), min_size=1, max_size=5))]
    if _rarely(draw, 5):
        lines += [f"{keys[0]}: &anchor {draw(values())}", f"{keys[1]}: *anchor", f"{keys[2]}: {{x: 1, <<: *anchor}}"]
    return "\n".join(lines) + "\n"


@cache
@st.composite
def lookup_options(draw: st.DrawFn, *, keys: tuple[str, ...] = KEYS, patterns: tuple[str, ...] = _PATTERNS) -> str:
    """The line of a data file that says how keys are merged."""
    if _rarely(draw, 60):
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
    names = draw(st.lists(st.one_of(st.sampled_from(keys), st.sampled_from(patterns[:-1])), min_size=1, max_size=4, unique=True))
    entries = [f"{name}: {{merge: {draw(st.sampled_from(_MERGES if _rarely(draw, 5) else _MERGES[:13]))}}}" for name in names]
    return f"lookup_options: {{{', '.join(entries)}}}"


@st.composite
def configs(draw: st.DrawFn, *, locations: tuple[str, ...] = tuple(_LOCATIONS), datadir: str = "data") -> str:
    """The text of a hiera.yaml."""
    chosen = draw(st.lists(st.sampled_from(locations), min_size=1, max_size=4))
    if _rarely(draw, 15):
        chosen.append(draw(st.sampled_from(_ODD_LOCATIONS)))
    levels = "".join(f"  - name: level {number}\n    {location}\n" for number, location in enumerate(chosen))
    return f"version: 5\ndefaults: {{datadir: {datadir}, data_hash: yaml_data}}\nhierarchy:\n{levels}"


@cache
def facts() -> st.SearchStrategy[dict[str, Any]]:
    """The usual facts, one of which is odd."""
    leaves = st.sampled_from([None, True, 0, -1, 2.5, 1e20, 1e-5, "", "x", "%{role}", "%{odd}", "%{nope}", "a\nb", "\u00e9'\"#{x}"])
    odd = st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xy0"), inner, max_size=2), max_leaves=4
    )
    roles = st.sampled_from(["web", "web", "web", "one", "common", "", "g/9", "../data/web"])
    return st.tuples(odd, roles).map(lambda drawn: {**_FACTS, "odd": drawn[0], "role": drawn[1]})


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
def _asked(keys: tuple[str, ...] = KEYS) -> st.SearchStrategy[tuple[dict[str, Any], ...]]:
    return st.lists(queries(keys), min_size=2, max_size=5).map(tuple)


@st.composite
def hierarchies(draw: st.DrawFn) -> Case:
    """A global hierarchy of YAML files with lookup_options."""
    chosen = draw(st.lists(st.sampled_from(sorted(_LOCATIONS)), min_size=1, max_size=3))
    config = draw(configs(locations=tuple(chosen)))
    files = {"hiera.yaml": draw(st.sampled_from(_BROKEN_CONFIGS)) if _rarely(draw, 25) else config}
    for name in dict.fromkeys(name for location in chosen for name in _LOCATIONS[location]):
        files[f"data/{name}"] = draw(data_files())
        if _rarely(draw, 2):
            files[f"data/{name}"] += draw(lookup_options()) + "\n"
    return Case(files, draw(_asked()), draw(st.booleans()), facts=draw(facts()))


@st.composite
def interpolations(draw: st.DrawFn) -> Case:
    """One file of strings to be interpolated, with odd facts."""
    data = "".join(f"{key}: {draw(st.sampled_from(_TEXTS) | st.sampled_from(_LOOKUPS))}\n" for key in ("a", "b", "d"))
    data += f"c: {{x: {draw(st.sampled_from(_TEXTS) | st.sampled_from(_LOOKUPS))}, {draw(st.sampled_from(_TEXTS))}: 1}}\n"
    files = {"hiera.yaml": "version: 5\n", "data/common.yaml": data}
    return Case(files, tuple({"key": key} for key in ("a", "b", "c", "c.x", "d")), draw(st.booleans()), facts=draw(facts()))


@st.composite
def documents(draw: st.DrawFn) -> Case:
    """One file in YAML's block style: anchors, aliases, merge keys, blocks of text, tags, comments, several documents."""
    lines = draw(st.lists(st.sampled_from(_LINES), min_size=1, max_size=6))
    files = {"hiera.yaml": "version: 5\n", "data/common.yaml": "".join(line + "\n" for line in lines)}
    return Case(files, tuple({"key": key} for key in ("a", "b", "c", "d", "a.x")), draw(st.booleans()))


@st.composite
def merges(draw: st.DrawFn) -> Case:
    """Two or three files, one key, plain values without functions: everything is about the merge."""
    names = [f"{number}.yaml" for number in range(draw(st.integers(2, 3)))]
    files = {f"data/{name}": f"a: {draw(values(lookups=False, odd=False))}\n" for name in names}
    files["data/0.yaml"] += f"lookup_options: {{a: {{merge: {draw(st.sampled_from(_MERGES))}}}}}\n"
    if draw(st.booleans()):
        places = f"[{{name: x, paths: [{', '.join(names)}]}}]"
    else:
        places = "[" + ", ".join(f"{{name: {name}, path: {name}}}" for name in names) + "]"
    files["hiera.yaml"] = f"version: 5\nhierarchy: {places}\n"
    asked = draw(st.sampled_from(_STRATEGIES))
    return Case(files, ({"key": "a"}, {"key": "a.x"}, {"key": "a.0"}, {"key": "a", "merge": asked}), draw(st.booleans()))


@st.composite
def layers(draw: st.DrawFn) -> Case:
    """Global, environment and module layers, and a module's default_hierarchy."""
    places = ("path: common.yaml", "path: '%{role}.yaml'", "paths: [common.yaml, one.yaml]")
    environment = draw(st.booleans())
    module_keys = ("m::a", "m::b", "m::c")
    files = {
        "hiera.yaml": draw(configs(locations=places)),
        "data/common.yaml": draw(data_files()) + draw(lookup_options()) + "\n",
        "modules/m/hiera.yaml": draw(configs(locations=places)),
        "modules/m/data/common.yaml": draw(data_files(keys=(*module_keys, "a"))),
        "modules/m/data/one.yaml": draw(data_files(keys=module_keys)),
    }
    if environment:
        files["environment/hiera.yaml"] = draw(configs(locations=places))
        files["environment/data/common.yaml"] = draw(data_files())
        files["environment/data/web.yaml"] = draw(data_files())
    if draw(st.booleans()):
        files["modules/m/data/common.yaml"] += draw(lookup_options(keys=module_keys, patterns=("'^m::[ab]'", "'^m::'", "'^x'"))) + "\n"
    if draw(st.booleans()):
        files["modules/m/hiera.yaml"] += "default_hierarchy:\n  - name: defaults\n    paths: [one.yaml, defaults.yaml]\n"
        files["modules/m/data/defaults.yaml"] = draw(data_files(keys=module_keys))
        if draw(st.booleans()):
            files["modules/m/data/defaults.yaml"] += (
                draw(lookup_options(keys=module_keys, patterns=("'^m::[ab]'", "'^m::'", "'^x'"))) + "\n"
            )
    return Case(files, draw(_asked((*module_keys, "a", "other::a"))), draw(st.booleans()), environment)


@st.composite
def yaml_scalars(draw: st.DrawFn) -> Case:
    """One file of unquoted scalars."""
    letters = (
        st.text("0123456789_,.:-+eExXbo~ynNYtTfaZ=<! ", min_size=1, max_size=7).map(str.strip).filter(lambda text: "#" not in text)
    )
    scalar = st.one_of(st.sampled_from(_PLAIN), letters)
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
            + draw(st.sampled_from(["", ",", "/* x */", "// x\n", "\t", "'", "1", "-", "NaN", "0", ".", "\\", "\ufeff", "e5"]))
            + text[at + draw(st.integers(0, 1)) :]
        )
    files = {"hiera.yaml": "version: 5\nhierarchy: [{name: x, data_hash: json_data, path: x.json}]\n", "data/x.json": text}
    return Case(files, ({"key": "a"}, {"key": "b"}), draw(st.booleans()))


_TYPES = (
    *(
        "Sensitive",
        "String",
        "Integer",
        "Float",
        "Numeric",
        "Boolean",
        "Array",
        "Hash",
        "Any",
        "Undef",
        "Scalar",
        "Data",
        "Tuple",
        "Struct",
    ),
    *(
        "Array[Integer]",
        "Array[String, 1, 2]",
        "Array[0, 2]",
        "Hash[String, Integer]",
        "Hash[String[1], Data, 1]",
        "Integer[1, 10]",
        "Integer[default, 5]",
    ),
    *(
        "Optional[Integer]",
        "Optional",
        "NotUndef[String]",
        "Variant[Integer, Array]",
        "Enum['a', 'foo']",
        "Enum[a, FOO, true]",
        "Pattern[/^f/, /o$/]",
    ),
    *(
        "Tuple[Integer, String]",
        "Tuple[Integer, 1, 3]",
        "Struct[{x => Integer}]",
        "Struct[{Optional[x] => Integer, 'y' => Optional[String]}]",
    ),
    *(
        "Sensitive[String]",
        "String[2]",
        "String[1, 3]",
        "Float[0.0, 2.5]",
        "Boolean[true]",
        "Collection[1]",
        "ScalarData",
        "RichData",
        "Variant[]",
        "Iterable",
        "Iterable[Integer]",
        "Iterable[String]",
        "Iterable[Data]",
        "Optional[Sensitive]",
        "NotUndef[Sensitive[Data]]",
        "Nosuch",
        "Array[",
    ),
)
_CONVERTED = (
    *(
        "'12'",
        "'012'",
        "'0x1F'",
        "'0b11'",
        "' 5'",
        "'- 5'",
        "'+5'",
        "'1.5'",
        "'1e3'",
        "'1.5e-3'",
        "'09'",
        "'abc'",
        "'yes'",
        "'N'",
        "'TRUE'",
        "'t'",
        "''",
    ),
    *(
        "12",
        "-3",
        "1.5",
        "-2.9",
        "0",
        "true",
        "false",
        "~",
        "[]",
        "[1, 2]",
        "[a, 1, b, 2]",
        "[[a, 1], [b, 2]]",
        "[[a, 1], [b]]",
        "[1, [a, ~], {x: y}]",
    ),
    *(
        "{}",
        "{x: 1}",
        '{x: [1, 2.5, \'a b\', "it\'s", "a\\tb$"]}',
        "{from: '5'}",
        "{from: '11', radix: 2}",
        "{from: -1.5, abs: true}",
        "foo",
        "'a\\'",
        ".inf",
    ),
)
_ARGUMENTS = (*[""] * 9, ", true", ", false", ", 2", ", 8", ", 10, true", ", 16", ", 3", ", default")


@st.composite
def conversions(draw: st.DrawFn) -> Case:
    """Values and the types that lookup_options turn them into."""
    data, options = [], []
    for key in ("a", "b", "c"):
        data.append(f"{key}: {draw(st.sampled_from(_CONVERTED))}")
        wanted = f'"{draw(st.sampled_from(_TYPES))}"'
        options.append(f"{key}: {{convert_to: {f'[{wanted}{draw(st.sampled_from(_ARGUMENTS))}]' if draw(st.booleans()) else wanted}}}")
    text = "\n".join([*data, f"lookup_options: {{{', '.join(options)}}}", "d: 'x%{lookup(\"a\")}'", "e: \"%{alias('b')}\"", ""])
    keys = ("a", "b", "c", "d", "e", "a.x", "b.0")
    return Case({"hiera.yaml": "version: 5\n", "data/common.yaml": text}, tuple({"key": key} for key in keys), draw(st.booleans()))
