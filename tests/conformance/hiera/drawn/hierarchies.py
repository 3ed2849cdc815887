"""Hierarchies of many files: levels of each kind, options, and the layers of environment and module."""

from __future__ import annotations

from functools import cache

from conformance.hiera.case import Case
from conformance.hiera.drawn.merges import lookup_options
from conformance.hiera.drawn.values import KEYS, LOOKUPS, TEXTS, asked, facts, rarely, values
from hypothesis import strategies as st

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
    "mapped_paths: [nums, n, 'n%{n}.yaml']": ("n1.yaml", "n2.5.yaml"),
    "mapped_paths: [list, item, '%{item}-%{role}.yaml']": ("one-web.yaml", "two-web.yaml"),
    "mapped_paths: [list, role, '%{role}-%{::role}.yaml']": ("one-web.yaml", "two-web.yaml"),
    "path: 'nodes/%{trusted.hostname}.yaml'": ("nodes/n1.yaml",),
    "path: '%{trusted.domain}.yaml'": ("example.yaml",),
    "paths: ['%{environment}.yaml', '%{::facts.map.k1}.yaml']": ("production.yaml", "one.yaml"),
    "path: common.yaml\n    data_hash: '::yaml_data'": ("common.yaml",),
    "path: x.yaml\n    datadir: 'data/%{role}'": ("web/x.yaml",),
    "path: common.yaml\n    options: {some: '%{role}', other-option: [1]}": ("common.yaml",),
}
"""How levels say their files, and files that they find."""

UNDEFINED_LEVEL = "nolevel"
"""A variable that no node has, in levels' locations alone."""
_ODD_LOCATIONS = (
    *(
        "mapped_paths: [nolevel, item, '%{item}.yaml']",
        "path: '%{nolevel}x.yaml'",
        "path: '%{nolevel}/x.yaml'",
        "path: \"%{lookup('a')}.yaml\"",
    ),
    *("mapped_paths: [num, item, '%{item}.yaml']", "mapped_paths: [os, item, '%{item.0}.yaml']", "path: g", "path: '%{nul}x.yaml'"),
    *("path: common.yaml\n    options: {1x: 1}", "path: common.yaml\n    options: [1]", "path: common.yaml\n    datadir: 5"),
    *("path: common.yaml\n    options: {uri: x}", "path: common.yaml\n    options: ~", "path: x.yaml\n    datadir: '%{nolevel}'"),
    "mapped_paths: [list, item]",
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


@cache
@st.composite
def data_files(draw: st.DrawFn, *, keys: tuple[str, ...] = KEYS) -> str:
    """The text of one data file."""
    if rarely(draw, 80):
        return draw(st.sampled_from(["", "[1]", "foo", "a: [", "\ta: 1", "a: 1\n---\nb: 2\n", "~", "a: \xff", "\ufeffa: 1\n"]))
    lines = [f"{key}: {draw(values())}" for key in draw(st.lists(st.sampled_from(keys), min_size=1, max_size=5))]
    if rarely(draw, 5):
        lines += [f"{keys[0]}: &anchor {draw(values())}", f"{keys[1]}: *anchor", f"{keys[2]}: {{x: 1, <<: *anchor}}"]
    return "\n".join(lines) + "\n"


@st.composite
def configs(draw: st.DrawFn, *, locations: tuple[str, ...] = tuple(_LOCATIONS), datadir: str = "data") -> str:
    """The text of a hiera.yaml."""
    chosen = draw(st.lists(st.sampled_from(locations), min_size=1, max_size=4))
    if rarely(draw, 15):
        chosen.append(draw(st.sampled_from(_ODD_LOCATIONS)))
    levels = "".join(f"  - name: level {number}\n    {location}\n" for number, location in enumerate(chosen))
    return f"version: 5\ndefaults: {{datadir: {datadir}, data_hash: yaml_data}}\nhierarchy:\n{levels}"


@st.composite
def hierarchies(draw: st.DrawFn) -> Case:
    """A global hierarchy of YAML files with lookup_options."""
    chosen = draw(st.lists(st.sampled_from(sorted(_LOCATIONS)), min_size=1, max_size=3))
    config = draw(configs(locations=tuple(chosen)))
    files = {"hiera.yaml": draw(st.sampled_from(_BROKEN_CONFIGS)) if rarely(draw, 25) else config}
    for name in dict.fromkeys(name for location in chosen for name in _LOCATIONS[location]):
        files[f"data/{name}"] = draw(data_files())
        if rarely(draw, 2):
            files[f"data/{name}"] += draw(lookup_options()) + "\n"
    node = draw(st.sampled_from([*["n1.example"] * 4, "n1", "n1.Example", "n1.example.net", "10.0.0.1", "n1.", ".n1"]))
    return Case(files, draw(asked()), draw(st.booleans()), facts=draw(facts()), node=node)


@st.composite
def interpolations(draw: st.DrawFn) -> Case:
    """One file of strings to be interpolated, with odd facts."""
    data = "".join(f"{key}: {draw(st.sampled_from(TEXTS) | st.sampled_from(LOOKUPS))}\n" for key in ("a", "b", "d"))
    data += f"c: {{x: {draw(st.sampled_from(TEXTS) | st.sampled_from(LOOKUPS))}, {draw(st.sampled_from(TEXTS))}: 1}}\n"
    files = {"hiera.yaml": "version: 5\n", "data/common.yaml": data}
    return Case(files, tuple({"key": key} for key in ("a", "b", "c", "c.x", "d")), draw(st.booleans()), facts=draw(facts()))


_METADATA = '{"name": "a-m", "source": "s", "author": "a", "version": "1.0.0", "license": "x", "dependencies": []}'
_ODD_METADATA = (
    "",
    "{",
    "{}",
    f"// of m\n{_METADATA}",
    f"\ufeff{_METADATA}",
    f"{_METADATA},",
    '{"name": "a-m"}',
    _METADATA.replace('"a-m"', "null"),
    _METADATA.replace('"s"', "null"),
    _METADATA.replace('"a"', '""'),
    _METADATA.replace('"1.0.0"', "false"),
    _METADATA.replace("[]", "{}"),
    _METADATA.replace("[]", '[{"nam": "x"}]'),
)


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
    if rarely(draw, 5):
        files["modules/m/metadata.json"] = draw(st.sampled_from((_METADATA, *_ODD_METADATA)))
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
    return Case(files, draw(asked((*module_keys, "a", "other::a"))), draw(st.booleans()), environment)
