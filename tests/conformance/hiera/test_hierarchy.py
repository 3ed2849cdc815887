"""What a user of our hierarchy sees beyond the values: places, reasons, and errors that say where and what to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import oracle

from runit_provision.errors import DataError, Mark
from runit_provision.hiera import Hierarchy, open_hierarchy, read_facts, read_yaml
from runit_provision.hiera.config.levels import read_config
from runit_provision.inputs import Inputs
from runit_provision.model.data import Sensitive, locate

_CONFIG = "version: 5\nhierarchy:\n  - name: node\n    path: nodes/%{trusted.certname}.yaml\n  - name: common\n    path: common.yaml\n"


def _open(folder: Path, *, node: str = "n1", strict: bool = True, **files: str) -> Hierarchy:
    """Lay hiera.yaml and data files (`nodes__n1` is nodes/n1.yaml) below `folder`; open the hierarchy."""
    (folder / "hiera.yaml").write_text(files.pop("config", _CONFIG))
    for name, text in files.items():
        path = folder / "data" / (name.replace("__", "/") + ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return open_hierarchy(folder / "hiera.yaml", facts={"role": "web"}, node=node, strict=strict)


def _problems(action: Callable[[], Any]) -> list[str]:
    with pytest.raises(DataError) as caught:
        action()
    return [str(problem) for problem in caught.value.problems]


def test_after_a_deep_merge_every_item_knows_the_file_it_came_from(tmp_path: Path) -> None:
    hierarchy = _open(
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
    hierarchy = _open(tmp_path, nodes__n1="a: {x: 1}\nb: \"%{alias('a')}\"\n", common="a: {y: 2}\n")
    data = hierarchy.lookup("a", merge="hash")
    assert data.marks == {"y": Mark(f"{tmp_path}/data/common.yaml", 1, 5), "x": Mark(f"{tmp_path}/data/nodes/n1.yaml", 1, 5)}
    found = hierarchy.find("b")
    assert found
    assert str(found.mark) == f"{tmp_path}/data/nodes/n1.yaml:2:1 -> {tmp_path}/data/nodes/n1.yaml:1:1"
    assert locate(found.value, ["x"]) == Mark(f"{tmp_path}/data/nodes/n1.yaml", 1, 5)


def test_explain_tells_each_level_and_file_and_what_a_merge_took_from_where(tmp_path: Path) -> None:
    hierarchy = _open(
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
    _open(tmp_path, config=config, common=common)
    hierarchy = open_hierarchy(
        tmp_path / "hiera.yaml", facts={}, node="n1", environment_path=tmp_path / "environment", modulepath=[tmp_path / "modules"]
    )
    said = hierarchy.explain("m::a", merge="first").partition('Searching for "m::a"')[2]
    assert "\n  The caller's merge strategy takes the place of that in lookup_options\n" in said
    assert f'    Level "g" ({tmp_path}/hiera.yaml:3:5)\n      glob leads to no file: *.yml\n' in said
    assert f'  Converted to Array ({tmp_path}/data/common.yaml:2:40): ["5"]\nResult: ["5"]\n' in said
    nowhere = hierarchy.explain("m::b")
    assert f"  Environment layer: no hiera.yaml in {tmp_path}/environment\n" in nowhere
    assert f"  Module m layer: no hiera.yaml of it in the modulepath {tmp_path}/modules\n" in nowhere


def test_a_value_that_becomes_sensitive_is_shown_nowhere_unless_asked(tmp_path: Path) -> None:
    hierarchy = _open(tmp_path, common="a: s3cret\nlookup_options: {a: {convert_to: Sensitive}}\nb: \"<%{lookup('a')}>\"\n")
    assert hierarchy.lookup("a") == Sensitive("s3cret")
    assert hierarchy.lookup("b") == "<Sensitive [value redacted]>"
    assert "s3cret" not in hierarchy.explain("a") + hierarchy.explain("b")
    assert "s3cret" in hierarchy.explain("a", show_secrets=True)


def test_an_error_behind_other_keys_names_the_way_to_it_and_the_place_of_the_value(tmp_path: Path) -> None:
    common = """\
a: "x %{lookup('b')}"
b: "%{lookup('c')}"
c: "%{nope}"
d: ["%{alias('e')}"]
e: word
f: "%{lookup('d')}"
g0: "%{lookup('g1')}"
g1: "%{lookup('g2')}"
g2: "%{lookup('g3')}"
g3: "%{lookup('g4')}"
g4: "%{lookup('a.b')}"
lookup_options: {d: {convert_to: 'Array[Integer]'}}
"""
    hierarchy = _open(tmp_path, common=common)
    place = f"{tmp_path}/data/common.yaml"
    undefined = "undefined variable `nope`; give it as a fact, or be lenient as Puppet 7 is (--lenient)"
    assert _problems(lambda: hierarchy.lookup("a")) == [f"{place}:3:1: a -> b -> c: {undefined}"]
    assert _problems(lambda: hierarchy.lookup("f")) == [
        f"{place}:12:22: f -> d.0: convert_to Array[Integer] failed: it is a String, and no Integer; "
        f"the value is in {place}:4:5 -> {place}:5:1"
    ]
    assert _problems(lambda: hierarchy.lookup("g0")) == [f"{place}:3:1: g0 -> ... -> c: {undefined}"]


def test_explain_names_what_a_knockout_took_and_where_it_found_nothing(tmp_path: Path) -> None:
    options = "lookup_options: {a: {merge: {strategy: deep, knockout_prefix: --}}}\n"
    hierarchy = _open(
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


def test_a_file_is_parsed_once_for_all_keys_and_nodes(tmp_path: Path) -> None:
    hierarchy = _open(tmp_path, nodes__n1="a: 1\n", nodes__n2="a: 2\n", common="b: 3\n")
    assert [hierarchy.lookup("a"), hierarchy.lookup("b")] == [1, 3]
    (tmp_path / "data/common.yaml").write_text("b: 4\n")
    assert [hierarchy.for_node("n2", {}).lookup(key) for key in ("a", "b")] == [2, 3]


def test_another_node_has_trusted_facts_of_its_own(tmp_path: Path) -> None:
    config = "version: 5\nhierarchy: [{name: a, path: '%{trusted.extensions.pp_role}.yaml'}]\n"
    _open(tmp_path, config=config, web="a: 1\n", db="a: 2\n")
    trusted = {"extensions": {"pp_role": "web"}}
    hierarchy = open_hierarchy(tmp_path / "hiera.yaml", facts={}, node="n1", trusted=trusted)
    other = hierarchy.for_node("n2", {}, trusted={"extensions": {"pp_role": "db"}})
    assert [each.find("a") and each.lookup("a") for each in (hierarchy, other, hierarchy.for_node("n3", {}))] == [1, 2, None]


def test_the_first_key_that_is_found_wins_and_a_default_is_last(tmp_path: Path) -> None:
    hierarchy = _open(tmp_path, common="b: 3\nc: ~\n")
    assert hierarchy.lookup("a", "b") == 3
    assert hierarchy.lookup("a", "c", default=1) is None
    assert hierarchy.lookup("a", default=1) == 1


def test_a_value_of_another_type_than_wanted_is_an_error_at_its_place(tmp_path: Path) -> None:
    hierarchy = _open(tmp_path, common="a: [x, 1]\n")
    assert hierarchy.lookup("a", value_type="Array[Variant[String, Integer]]") == ["x", 1]
    assert _problems(lambda: hierarchy.lookup("a", value_type="Array[String]")) == [
        f"{tmp_path}/data/common.yaml:1:8: a.1: it is an Integer, and no String"
    ]


def test_keys_lists_what_any_file_has(tmp_path: Path) -> None:
    hierarchy = _open(tmp_path, nodes__n1="runit::users: [a]\nx: 1\n", common="runit::package_file: p\nlookup_options: {}\n")
    assert hierarchy.keys("runit::") == ["runit::users", "runit::package_file"]
    assert hierarchy.keys() == ["runit::users", "x", "runit::package_file"]


def test_lookups_that_double_each_other_end_in_an_error(tmp_path: Path) -> None:
    doubled = "".join(f"k{n}: \"%{{lookup('k{n + 1}')}}%{{lookup('k{n + 1}')}}\"\n" for n in range(40)) + "k40: x\n"
    hierarchy = _open(tmp_path, common=doubled)
    assert hierarchy.lookup("k35") == "x" * 32
    (said,) = _problems(lambda: hierarchy.lookup("k0"))
    assert said.endswith("more than 100,000 lookups for one key; keys that ask for each other twice and more multiply; flatten them")


def test_what_puppet_loses_behind_a_byte_order_mark_is_a_warning(tmp_path: Path) -> None:
    hierarchy = _open(tmp_path, common="\ufeffa: 1\nb: 2\n", nodes__n1="\ufeff# comment\nc: 1\nd: 2\n")
    assert hierarchy.lookup("b") == 2
    said = "a byte order mark: of such a file Puppet reads the first key alone; remove the mark"
    assert [str(warning) for warning in hierarchy.warnings] == [f"{tmp_path}/data/common.yaml:1:1: {said}"]


def test_an_unknown_option_of_a_key_is_a_warning(tmp_path: Path) -> None:
    hierarchy = _open(tmp_path, common="a: [1]\nlookup_options:\n  a: {mergee: deep, x: 1}\n")
    assert hierarchy.lookup("a") == [1]
    place = f"{tmp_path}/data/common.yaml:3"
    assert [str(warning) for warning in hierarchy.warnings] == [
        f"{place}:7: lookup_options.a.mergee: ignored: no such option; did you mean `merge`?",
        f"{place}:21: lookup_options.a.x: ignored: no such option; known are merge and convert_to",
    ]


def test_an_undefined_variable_is_an_error_or_when_lenient_a_warning(tmp_path: Path) -> None:
    place, said = f"{tmp_path}/data/common.yaml:1:1", "undefined variable `rolle`; did you mean `role`?"
    hierarchy = _open(tmp_path, common="a: 'x%{rolle}'\n")
    assert _problems(lambda: hierarchy.lookup("a")) == [f"{place}: a: {said}"]
    lenient = _open(tmp_path, strict=False, common="a: 'x%{rolle}'\n")
    assert lenient.lookup("a") == "x"
    assert [str(warning) for warning in lenient.warnings] == [f"{place}: {said}"]


def test_an_undefined_variable_in_a_levels_path_is_a_warning_as_in_puppet_8(tmp_path: Path) -> None:
    config = "version: 5\nhierarchy:\n  - name: a\n    path: '%{rolle}/x.yaml'\n  - {name: b, path: common.yaml}\n"
    hierarchy = _open(tmp_path, config=config, common="a: 1\n")
    assert hierarchy.lookup("a") == 1
    assert [str(warning) for warning in hierarchy.warnings] == [
        f"{tmp_path}/hiera.yaml:3:5: undefined variable `rolle`; did you mean `role`?"
    ]


def test_a_strategy_that_is_not_under_merge_is_a_warning(tmp_path: Path) -> None:
    hierarchy = _open(tmp_path, common="a: 1\nlookup_options: {a: deep}\n")
    assert hierarchy.lookup("a") == 1
    assert [str(warning) for warning in hierarchy.warnings] == [
        f"{tmp_path}/data/common.yaml:2:18: lookup_options.a: ignored: options are a hash; write `a: {{merge: deep}}`"
    ]


@pytest.mark.parametrize(
    ("common", "expected"),
    [
        ("a: &x {b: *x}\n", "1:11: the alias *x stands inside of what it names; data cannot contain itself"),
        (
            "a: 1\n\tb: 2\n",
            "2:1: not YAML: while scanning a plain scalar, found a tab character that violates indentation; indent with",
        ),
        ("a: :b\n", "1:1: a: a symbol, which Puppet refuses in data; quote it to have a string"),
        ("a: {x: 1, yes: 1}\n", "1:11: a: a Boolean as a key; quote it"),
        ("a: [{.nan: 1}]\n", "1:6: a.0: a Float as a key; quote it"),
        ("a: \"%{lookup('a')}\"\n", "1:1: a: recursive lookup: a -> a; break the circle"),
        ("a: \"%{nosuch('a')}\"\n", "1:1: a: unknown interpolation method `nosuch`; known are lookup, hiera, alias, literal, scope"),
        ("a: \"x%{alias('b')}\"\n", "1:1: a: %{alias(...)} must be the whole string; use %{lookup(...)} inside of text"),
        (
            "a:\n  - x\n  - y: '%{facts.role.z}'\n",
            "3:5: a -> facts.role.z: cannot look up `z` in a String; only hashes and lists have subkeys",
        ),
        ("a: 1\nlookup_options: {a: {merge: deap}}\n", "2:22: a: unknown merge strategy `deap`; did you mean `deep`?"),
        ("a: 1\nlookup_options: {a: {merge: {strategy: deep, knockout: x}}}\n", "2:46: a: the merge strategy `deep` has no option"),
        (
            "a: x\nlookup_options: {a: {convert_to: Integer}}\n",
            "2:22: a: convert_to Integer failed: the string is no number; the ",
        ),
        ("a: x\nlookup_options: {a: {convert_to: Integr}}\n", "2:22: a: `Integr` is not a type: unknown type `Integr`; as String"),
        ("a: x\nlookup_options: {a: {convert_to: []}}\n", "2:22: a: convert_to names a type, not undef; as `convert_to: Sensitive`"),
        (
            "a: x\nlookup_options: {a: {convert_to: 'Sensitive[Integer]'}}\n",
            "2:22: a: convert_to Sensitive[Integer] failed: it became a Sensitive that holds a String, which is no ",
        ),
        ('a: "%{foo(1)}"\n', "1:1: a: undefined variable `foo(1)`; a function takes one key in quotes, as %{lookup('key')}"),
        ("b: [x]\na: {\"%{alias('b')}\": 1}\n", "2:5: a: an Array as a key; a key is text"),
        (f"a: {'9' * 5000}\n", "1:4: an integer of more than 3,500 digits; quote it to have a string"),
        ("b: 1\na: 'x\nc: 1\n", "2:4: not YAML: while scanning a quoted scalar, found unexpected end of stream; look for the end of"),
        ("lookup_options: []\na: 1\n", "1:1: lookup_options: a hash is wanted, not an Array"),
        ("[1]\n", "1:1: no data: it holds an Array, not a hash; write `key: value` lines, or `{}` for none"),
    ],
)
def test_bad_data_is_an_error_with_its_place_and_a_hint(common: str, expected: str, tmp_path: Path) -> None:
    hierarchy = _open(tmp_path, common=common)
    (problem,) = _problems(lambda: hierarchy.lookup("a"))
    assert problem.startswith(f"{tmp_path}/data/common.yaml:{expected}")


def test_text_that_is_not_utf8_is_an_error_at_its_line(tmp_path: Path) -> None:
    hierarchy = _open(tmp_path, common="")
    (tmp_path / "data/common.yaml").write_bytes(b"a: 1\nb: \xc3\xa9\xff\n")
    assert _problems(lambda: hierarchy.lookup("a")) == [f"{tmp_path}/data/common.yaml:2:5: not UTF-8; save the file as UTF-8"]


def test_a_directory_in_the_place_of_a_data_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data/common.yaml").mkdir(parents=True)
    hierarchy = _open(tmp_path)
    assert _problems(lambda: hierarchy.lookup("a")) == [
        f"{tmp_path}/data/common.yaml:1:1: cannot read it: Is a directory; a data file is wanted here, not a directory"
    ]


def _asked_as_nobody(folder: Path) -> str:
    """What is wrong when the user `nobody` looks up `a`."""
    code = (
        "import os, pathlib, sys; from runit_provision import hiera; os.setuid(65534)\n"
        "try: hiera.open_hierarchy(pathlib.Path(sys.argv[1]), facts={}, node='n1').lookup('a')\n"
        "except hiera.DataError as error: print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", code, folder / "hiera.yaml"], capture_output=True, text=True, check=True)
    return ran.stdout


def test_a_level_that_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    oracle.root("another user is needed who may not read the file")
    _open(tmp_path, common="a: 1\n")
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    (tmp_path / "data/common.yaml").chmod(0)
    hint = "run as a user who may read it, or change its mode"
    assert _asked_as_nobody(tmp_path) == f"{tmp_path}/data/common.yaml:1:1: cannot read it: Permission denied; {hint}\n"


@pytest.mark.parametrize(
    ("where", "mode"), [("path: locked/x.yaml", 0), ("glob: 'locked/*.yaml'", 0), ("glob: 'locked/{x,y}.yaml'", 0o600)]
)
def test_a_folder_that_may_not_be_looked_into_is_an_error_also_for_a_glob(where: str, mode: int, tmp_path: Path) -> None:
    oracle.root("another user is needed who may not read the folder")
    _open(tmp_path, config=f"version: 5\nhierarchy:\n  - name: a\n    {where}\n", locked__x="a: 1\n")
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    (tmp_path / "data/locked").chmod(mode)
    said = _asked_as_nobody(tmp_path)
    assert said.startswith(f"{tmp_path}/hiera.yaml:3:5: {tmp_path}/data/locked")
    assert said.endswith(": cannot look into it: Permission denied; run as a user who may read it, or change its mode\n")


def test_a_name_that_no_file_can_have_is_nowhere_and_one_with_a_null_is_an_error(tmp_path: Path) -> None:
    config = "version: 5\nhierarchy: [{name: a, path: '%{role}.yaml'}]\n"
    (tmp_path / "hiera.yaml").write_text(config)
    assert open_hierarchy(tmp_path / "hiera.yaml", facts={"role": "x" * 300}, node="n1").find("a") is None
    assert _problems(lambda: open_hierarchy(tmp_path / "hiera.yaml", facts={"role": "\0"}, node="n1")) == [
        f"{tmp_path}/hiera.yaml:2:13: a path with a null character; look at the facts that it is made of"
    ]


def test_facts_with_the_names_of_puppets_own_variables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "hiera.yaml").write_text("version: 5\n")
    (tmp_path / "facts.yaml").write_text("role: web\nname: x\n5: y\n")
    facts = read_facts(tmp_path / "facts.yaml")
    said = "a fact cannot be called so: it is a variable of Puppet's own; leave it out"
    assert _problems(lambda: open_hierarchy(tmp_path / "hiera.yaml", facts=facts, node="n1")) == [
        f"{tmp_path}/facts.yaml:2:1: name: {said}",
        f"{tmp_path}/facts.yaml:3:1: 5: {said}",
    ]


def test_a_long_chain_of_lookups_works_and_one_without_end_is_an_error(tmp_path: Path) -> None:
    links = "".join(f"k{n}: \"%{{lookup('k{n + 1}')}}\"\n" for n in range(400)) + "k400: end\n"
    hierarchy = _open(tmp_path, common=links)
    assert hierarchy.lookup("k250") == "end"
    assert _problems(lambda: hierarchy.lookup("k0")) == [
        f"{tmp_path}/data/common.yaml:200:1: k0 -> ... -> k199: more than 200 lookups lead to each other; shorten the chain"
    ]


def test_aliases_nest_data_no_deeper_than_a_file_does(tmp_path: Path) -> None:
    links = "".join(f"k{n}: [[[[[[\"%{{alias('k{n + 1}')}}\"]]]]]]\n" for n in range(30)) + "k30: end\n"
    hierarchy = _open(tmp_path, common=links)
    assert hierarchy.lookup("k20")
    assert _problems(lambda: hierarchy.lookup("k0")) == [
        f"{tmp_path}/data/common.yaml:17:10: k0 -> ... -> k16: lookups nest data more than 100 deep; make the values flatter"
    ]


def test_a_missing_hiera_yaml_is_an_error(tmp_path: Path) -> None:
    hint = "check the name; a relative one starts from the current directory"
    assert _problems(lambda: open_hierarchy(tmp_path / "hiera.yaml", facts={}, node="n1")) == [
        f"{tmp_path}/hiera.yaml:1:1: cannot read it: No such file or directory; {hint}"
    ]


def test_every_fault_of_hiera_yaml_is_told_at_once(tmp_path: Path) -> None:
    config = (
        "version: 5\nhierachy: []\ndefaults: {data_hash: yaml_data, bogus: 1}\nhierarchy:\n"
        "  - name: a\n    path: x\n    glob: y\n  - name: a\n    data_hash: yml_data\n    path: x\n  - path: [x]\n"
    )
    where = f"{tmp_path}/hiera.yaml"
    assert _problems(lambda: _open(tmp_path, config=config)) == [
        f"{where}:2:1: hierachy: unknown key; did you mean `hierarchy`?",
        f"{where}:3:34: bogus: unknown key in defaults; known are data_hash, lookup_key, data_dig, datadir, options",
        f"{where}:7:5: glob: the level `a` has more than one of path, glob; keep one, or make two levels",
        f"{where}:8:5: name: a second level `a`; the first is in line 5; names are unique",
        f"{where}:9:5: data_hash: unknown backend `yml_data`; known are "
        "data_hash yaml_data, data_hash json_data, data_hash hocon_data, lookup_key eyaml_lookup_key",
        f"{where}:11:5: name: a string is wanted, not undef",
        f"{where}:11:5: path: a string is wanted, not an Array",
    ]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("defaults: {data_hash: yaml_data, datadir: 5}", "2:34: datadir: a string is wanted, not an Integer"),
        ("defaults: {data_hash: yaml_data, datadir: [a]}", "2:34: datadir: a string is wanted, not an Array"),
        ("defaults: {data_hash: yaml_data, datadir: true}", "2:34: datadir: a string is wanted, not a Boolean"),
        ("defaults: {data_hash: yaml_data, datadir: ~}", "2:34: datadir: a string is wanted, not undef"),
        ("defaults: {data_hash: [x]}", "2:12: data_hash: a string is wanted, not an Array"),
        ("hierarchy: [{name: b, path: c.yaml, data_hash: [x]}]", "2:37: data_hash: a string is wanted, not an Array"),
        ("hierarchy: [{name: b, path: c.yaml, data_hash: {a: 1}}]", "2:37: data_hash: a string is wanted, not a Hash"),
        ("hierarchy: [{1: a, name: x, path: y}]", "2:14: 1: unknown key in a level; known are "),
        ("? [a]\n: 1", "2:3: (a list or a hash): unknown key; known are "),
    ],
)
def test_what_is_of_the_wrong_kind_in_hiera_yaml_is_an_error_with_its_line(written: str, said: str, tmp_path: Path) -> None:
    problems = _problems(lambda: _open(tmp_path, config=f"version: 5\n{written}\n"))
    assert len(problems) == 1
    assert problems[0].startswith(f"{tmp_path}/hiera.yaml:{said}")


def test_lookup_options_may_look_up_keys_which_have_no_options_meanwhile(tmp_path: Path) -> None:
    hierarchy = _open(
        tmp_path,
        nodes__n1="merged: [n]\naliased: {x: 1}\nunique: no\n",
        common=(
            "lookup_options:\n"
            "  merged: {merge: \"%{lookup('how')}\"}\n"
            "  aliased: \"%{alias('entry')}\"\n"
            "  converted: {convert_to: \"%{lookup('type')}\"}\n"
            "  how: {convert_to: [Array, true]}\n"
            "merged: [c]\naliased: {y: 2}\nconverted: '5'\nhow: unique\nentry: {merge: hash}\ntype: Integer\n"
        ),
    )
    keys = ("merged", "aliased", "converted", "how")
    assert [hierarchy.lookup(key) for key in keys] == [["n", "c"], {"y": 2, "x": 1}, 5, ["unique"]]
    assert '"how"' in hierarchy.explain("merged")


def test_options_of_a_default_hierarchy_that_lead_back_to_it_are_a_circle(tmp_path: Path) -> None:
    module = tmp_path / "modules/m"
    (module / "data").mkdir(parents=True)
    (module / "hiera.yaml").write_text("version: 5\nhierarchy: []\ndefault_hierarchy: [{name: d, path: common.yaml}]\n")
    (module / "data/common.yaml").write_text("lookup_options: {m::k: {merge: \"%{lookup('m::how')}\"}}\nm::k: [1]\nm::how: deep\n")
    (tmp_path / "hiera.yaml").write_text(_CONFIG)
    hierarchy = open_hierarchy(tmp_path / "hiera.yaml", facts={}, node="n1", modulepath=(tmp_path / "modules",))
    circle = f"{module}/data/common.yaml:1:25: lookup_options: recursive lookup: lookup_options -> lookup_options; break the circle"
    assert _problems(lambda: hierarchy.lookup("m::k")) == [circle]


def test_version_3_is_refused_with_the_text_of_version_5(tmp_path: Path) -> None:
    config = (
        ":backends: [yaml, eyaml]\n:hierarchy: ['nodes/%{::fqdn}', common]\n:yaml:\n  :datadir: /etc/data\n"
        ":eyaml:\n  :pkcs7_private_key: /k\n"
    )
    assert _problems(lambda: _open(tmp_path, config=config)) == [
        f"{tmp_path}/hiera.yaml:1:1: hiera.yaml of version 3; replace it with this:\n"
        "version: 5\n"
        "hierarchy:\n"
        '  - name: "yaml data"\n'
        "    data_hash: yaml_data\n"
        '    datadir: "/etc/data"\n'
        "    paths:\n"
        '      - "nodes/%{::fqdn}.yaml"\n'
        '      - "common.yaml"\n'
        '  - name: "eyaml data"\n'
        "    lookup_key: eyaml_lookup_key\n"
        '    datadir: "/etc/puppetlabs/code/environments/%{environment}/hieradata"\n'
        "    paths:\n"
        '      - "nodes/%{::fqdn}.eyaml"\n'
        '      - "common.eyaml"\n'
        "    options:\n"
        '      pkcs7_private_key: "/k"'
    ]


def test_version_3_in_an_environment_or_a_module_is_refused_with_the_folder_that_is_meant_there(tmp_path: Path) -> None:
    (tmp_path / "hiera.yaml").write_text("version: 5\n")
    for folder in ("environment", "modules/m"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "hiera.yaml").write_text(":backends: yaml\n")

    def said(**layers: Any) -> str:
        (problem,) = _problems(lambda: open_hierarchy(tmp_path / "hiera.yaml", facts={}, node="n1", **layers).find("m::a"))
        return problem

    environment, module = said(environment_path=tmp_path / "environment"), said(modulepath=[tmp_path / "modules"])
    what = "hiera.yaml:1:1: hiera.yaml of version 3, which is for the global layer alone; replace it with this:\n"
    assert environment.startswith(f"{tmp_path}/environment/{what}")
    assert '    datadir: "hieradata"\n' in environment
    assert module.startswith(f"{tmp_path}/modules/m/{what}")
    assert '    datadir: "data"\n' in module


@pytest.mark.parametrize(
    ("written", "datadir", "paths"),
    [
        (":eyaml:\n  :extension: yaml\n  :datadir: '%{::environment}/d'\n:backends: eyaml", "%{::environment}/d", ["common.yaml"]),
        (
            ":backends: :yaml\n:hierarchy: [[nodes/a, 5], common]\n:yaml:\n  :datadir: d\n  :extension: yml",
            "d",
            ["nodes/a", "5", "common"],
        ),
        (":backends: [hocon, hocon]\n:hierarchy: 'x%{role}'\n:hocon: ~", None, ["x%{role}.conf"]),
        (":logger: :console\n:yaml:\n  :datadir: [x]", None, ["common.yaml"]),
        (":backends: {a: 1}\n:hierarchy: ~\n:yaml: x", None, ["common.yaml"]),
        (":backends: [eyaml]\n:eyaml:\n  :pkcs7_private_key: /k\n  :gpg_always_trust: yes\n  :n: 5", None, ["common.eyaml"]),
    ],
)
def test_whatever_version_3_looks_like_the_text_of_version_5_can_be_read(
    written: str, datadir: str | None, paths: list[str], tmp_path: Path
) -> None:
    (said,) = _problems(lambda: _open(tmp_path, config=f"{written}\n"))
    (tmp_path / "hiera.yaml").write_text(said.partition("replace it with this:\n")[2])
    (level,) = read_config(tmp_path / "hiera.yaml", Inputs()).levels
    assert level.datadir == (datadir or "/etc/puppetlabs/code/environments/%{environment}/hieradata")
    assert [path.removesuffix(".yaml") for path in level.places] == [path.removesuffix(".yaml") for path in paths]


def test_what_version_3_says_of_merging_is_told_where_version_5_has_it(tmp_path: Path) -> None:
    config = (
        ":backends: yaml\n:hierarchy: common\n:merge_behavior: deeper\n"
        ":deep_merge_options:\n  :knockout_prefix: '--'\n:logger: console\n"
    )
    (said,) = _problems(lambda: _open(tmp_path, config=config))
    assert said.partition('      - "common.yaml"\n')[2] == (
        "# :merge_behavior: deeper is said in the data, of each key or pattern that is merged:\n"
        "# lookup_options:\n"
        '#   some::key: {merge: {strategy: deep, knockout_prefix: "--"}}\n'
        "# :logger: has no counterpart"
    )


def test_facts_are_read_as_facter_and_as_puppet_facts_print_them(tmp_path: Path) -> None:
    plain, wrapped, wrong = tmp_path / "a.json", tmp_path / "b.yaml", tmp_path / "c.yaml"
    plain.write_text('{"os": {"family": "Debian"}}')
    wrapped.write_text("name: n1\nvalues:\n  os: {family: Debian}\n")
    wrong.write_text("- os\n")
    assert read_facts(plain) == read_facts(wrapped) == {"os": {"family": "Debian"}}
    assert _problems(lambda: read_facts(wrong)) == [
        f"{wrong}:1:1: facts are a hash of names and values; as `facter --yaml` prints them"
    ]


def test_read_yaml_reads_json_by_its_name_with_places(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text('{"a": [1,\n  {"b": 2}]}')
    assert locate(read_yaml(path), ["a", 1, "b"]) == Mark(str(path), 2, 4)


def test_looking_up_imports_nothing_heavy(tmp_path: Path) -> None:
    _open(tmp_path, common="a: 1\n")
    code = (
        "import pathlib, sys; from runit_provision import hiera\n"
        "assert hiera.open_hierarchy(pathlib.Path(sys.argv[1]), facts={}, node='n1').lookup('a') == 1\n"
        "heavy = {'pydantic', 'jinja2', 'rich', 'ruamel', 'click', 'cryptography', 'hocon', 'difflib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code, tmp_path / "hiera.yaml"], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_what_is_nested_as_deep_as_may_be_is_merged_interpolated_and_explained(tmp_path: Path) -> None:
    deep = "{x: " * 99 + "'%{role}'" + "}" * 99
    hierarchy = _open(tmp_path, nodes__n1=f"a: {deep}\n", common=f"a: {deep}\n")
    value = hierarchy.lookup("a", merge="deep")
    for _ in range(99):
        value = value["x"]
    assert value == "web"
    assert "web" in hierarchy.explain("a", merge="deep")
