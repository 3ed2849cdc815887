"""Where values come from: the place of every item after merges and aliases, and what `--explain` tells of the search."""

from __future__ import annotations

from pathlib import Path

from conformance.hiera.laid import opened

from runit_provision.errors import Mark
from runit_provision.hiera import open_hierarchy
from runit_provision.model.data import Sensitive, locate


def test_after_a_deep_merge_every_item_knows_the_file_it_came_from(tmp_path: Path) -> None:
    hierarchy = opened(
        tmp_path,
        nodes__n1="runit:\n  users:\n    app1: {home: /srv}\n    app2: {list: [n]}\n",
        common="lookup_options: {runit: {merge: deep}}\nrunit:\n  users:\n    app1:\n      account: a1\n    app2: {list: [c]}\n",
    )
    node, common = f"{tmp_path}/data/nodes/n1.yaml", f"{tmp_path}/data/common.yaml"
    data = hierarchy.lookup("runit")
    assert data == {"users": {"app1": {"account": "a1", "home": "/srv"}, "app2": {"list": ["c", "n"]}}}
    assert locate(data, ["users", "app1", "account"]) == Mark(common, 5, 7)
    assert locate(data, ["users", "app1", "home"]) == Mark(node, 3, 12)
    assert locate(data, ["users", "app2", "list", 0]) == Mark(common, 6, 19)
    assert locate(data, ["users", "app2", "list", 1]) == Mark(node, 4, 19)


def test_a_hash_merge_and_an_alias_keep_places_too(tmp_path: Path) -> None:
    hierarchy = opened(tmp_path, nodes__n1="a: {x: 1}\nb: \"%{alias('a')}\"\n", common="a: {y: 2}\n")
    data = hierarchy.lookup("a", merge="hash")
    assert data.marks == {"y": Mark(f"{tmp_path}/data/common.yaml", 1, 5), "x": Mark(f"{tmp_path}/data/nodes/n1.yaml", 1, 5)}
    found = hierarchy.find("b")
    assert found
    assert str(found.mark) == f"{tmp_path}/data/nodes/n1.yaml:2:1 -> {tmp_path}/data/nodes/n1.yaml:1:1"
    assert locate(found.value, ["x"]) == Mark(f"{tmp_path}/data/nodes/n1.yaml", 1, 5)


def test_explain_tells_each_level_and_file_and_what_a_merge_took_from_where(tmp_path: Path) -> None:
    hierarchy = opened(
        tmp_path,
        nodes__n1="a: {x: [--c, n], y: {of: node}}\n",
        common="a:\n  x: [c, d]\n  y: {more: [1]}\n  z: 5\nlookup_options:\n  '^a$': {merge: {strategy: deep, knockout_prefix: --}}\n",
    )
    node, common, config = f"{tmp_path}/data/nodes/n1.yaml", f"{tmp_path}/data/common.yaml", f"{tmp_path}/hiera.yaml"
    assert hierarchy.explain("a.y").partition('Searching for "a.y"')[2] == (
        "\n"
        f'  lookup_options "^a$" ({common}:6:3): {{"merge": {{"strategy": "deep", "knockout_prefix": "--"}}}}\n'
        "  Merge strategy deep {knockout_prefix: --}\n"
        f"    Global layer {config}\n"
        "      Merge strategy deep {knockout_prefix: --}\n"
        f'        Level "node" ({config}:3:5)\n'
        f"          File {node} (from nodes/%{{trusted.certname}}.yaml)\n"
        f'            Found a ({node}:1:1): {{"x": ["--c", "n"], "y": {{"of": "node"}}}}\n'
        f'        Level "common" ({config}:5:5)\n'
        f"          File {common} (from common.yaml)\n"
        f'            Found a ({common}:1:1): {{"x": ["c", "d"], "y": {{"more": [1]}}, "z": 5}}\n'
        f'        Knocked out by "--c" ({node}:1:9): "c" ({common}:2:7)\n'
        '        Merged from 2 values: {"x": ["d", "n"], "y": {"more": [1], "of": "node"}, "z": 5}\n'
        f"          x.0 from {common}:2:10\n"
        f"          x.1 from {node}:1:14\n"
        f"          y.more from {common}:3:7\n"
        f"          y.of from {node}:1:22\n"
        f"          z from {common}:4:3\n"
        f'  Found y ({node}:1:18): {{"more": [1], "of": "node"}}\n'
        'Result: {"more": [1], "of": "node"}\n'
    )


def test_explain_tells_what_a_conversion_made_and_which_layers_and_files_there_are_none_of(tmp_path: Path) -> None:
    config = "version: 5\nhierarchy:\n  - {name: g, glob: '*.yml'}\n  - {name: common, path: common.yaml}\n"
    common = "m::a: '5'\nlookup_options: {m::a: {merge: unique, convert_to: [Array, true]}}\n"
    (tmp_path / "environment").mkdir()
    opened(tmp_path, config=config, common=common)
    hierarchy = open_hierarchy(
        tmp_path / "hiera.yaml", facts={}, node="n1", environment_path=tmp_path / "environment", modulepath=[tmp_path / "modules"]
    )
    said = hierarchy.explain("m::a", merge="first").partition('Searching for "m::a"')[2]
    assert "\n  The caller's merge strategy takes the place of that in lookup_options\n" in said
    assert f'    Level "g" ({tmp_path}/hiera.yaml:3:5)\n      glob leads to no file: *.yml\n' in said
    assert f'  Converted to Array ({tmp_path}/data/common.yaml:2:40): ["5"]\nResult: ["5"]\n' in said
    nowhere = hierarchy.explain("m::b")
    assert f"  Environment layer: no hiera.yaml in {tmp_path}/environment\n" in nowhere
    assert f"  Module m layer: no module of that name with a hiera.yaml in {tmp_path}/modules\n" in nowhere


def test_a_value_that_becomes_sensitive_is_shown_nowhere_unless_asked(tmp_path: Path) -> None:
    hierarchy = opened(tmp_path, common="a: s3cret\nlookup_options: {a: {convert_to: Sensitive}}\nb: \"<%{lookup('a')}>\"\n")
    assert hierarchy.lookup("a") == Sensitive("s3cret")
    assert hierarchy.lookup("b") == "<Sensitive [value redacted]>"
    assert "s3cret" not in hierarchy.explain("a") + hierarchy.explain("b")
    assert "s3cret" in hierarchy.explain("a", show_secrets=True)


def test_explain_names_what_a_knockout_took_and_where_it_found_nothing(tmp_path: Path) -> None:
    options = "lookup_options: {a: {merge: {strategy: deep, knockout_prefix: --}}}\n"
    hierarchy = opened(
        tmp_path,
        nodes__n1="a: {x: [--c, --n], y: --z, w: ['--', 1]}\n",
        common=options + "a: {x: [c, d], y: {of: b}, w: [2, 3]}\n",
    )
    node, common = f"{tmp_path}/data/nodes/n1.yaml", f"{tmp_path}/data/common.yaml"
    told = [line.strip() for line in hierarchy.explain("a").splitlines() if "Knocked" in line]
    assert told == [
        f'Knocked out by "--c" ({node}:1:9): "c" ({common}:2:9)',
        f'Knocked out by "--n" ({node}:1:14): nothing, since it is not there',
        f'Knocked out by "--z" ({node}:1:20): {{"of": "b"}} ({common}:2:16)',
        f'Knocked out by "--" ({node}:1:32): [2, 3] ({common}:2:31)',
    ]


def test_what_is_nested_as_deep_as_may_be_is_merged_interpolated_and_explained(tmp_path: Path) -> None:
    deep = "{x: " * 99 + "'%{role}'" + "}" * 99
    hierarchy = opened(tmp_path, nodes__n1=f"a: {deep}\n", common=f"a: {deep}\n")
    value = hierarchy.lookup("a", merge="deep")
    for _ in range(99):
        value = value["x"]
    assert value == "web"
    assert "web" in hierarchy.explain("a", merge="deep")
