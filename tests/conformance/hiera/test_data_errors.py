"""Data that cannot be read or looked up: every error says where, why and what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conformance.hiera.laid import CONFIG, opened, problems
from support import oracle

from runit_provision.hiera import open_hierarchy, read_facts


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
    hierarchy = opened(tmp_path, common=common)
    place = f"{tmp_path}/data/common.yaml"
    undefined = "undefined variable `nope`; give it as a fact, or be lenient as Puppet 7 is (--lenient)"
    assert problems(lambda: hierarchy.lookup("a")) == [f"{place}:3:1: a -> b -> c: {undefined}"]
    assert problems(lambda: hierarchy.lookup("f")) == [
        f"{place}:12:22: f -> d.0: convert_to Array[Integer] failed: it is a String, and no Integer; "
        f"the value is in {place}:4:5 -> {place}:5:1"
    ]
    assert problems(lambda: hierarchy.lookup("g0")) == [f"{place}:3:1: g0 -> ... -> c: {undefined}"]


def test_a_value_of_another_type_than_wanted_is_an_error_at_its_place(tmp_path: Path) -> None:
    hierarchy = opened(tmp_path, common="a: [x, 1]\n")
    assert hierarchy.lookup("a", value_type="Array[Variant[String, Integer]]") == ["x", 1]
    assert problems(lambda: hierarchy.lookup("a", value_type="Array[String]")) == [
        f"{tmp_path}/data/common.yaml:1:8: a.1: it is an Integer, and no String"
    ]


def test_lookups_that_double_each_other_end_in_an_error(tmp_path: Path) -> None:
    doubled = "".join(f"k{n}: \"%{{lookup('k{n + 1}')}}%{{lookup('k{n + 1}')}}\"\n" for n in range(40)) + "k40: x\n"
    hierarchy = opened(tmp_path, common=doubled)
    assert hierarchy.lookup("k35") == "x" * 32
    (said,) = problems(lambda: hierarchy.lookup("k0"))
    assert said.endswith("more than 100,000 lookups for one key; keys that ask for each other twice and more multiply; flatten them")


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
    hierarchy = opened(tmp_path, common=common)
    (problem,) = problems(lambda: hierarchy.lookup("a"))
    assert problem.startswith(f"{tmp_path}/data/common.yaml:{expected}")


def test_text_that_is_not_utf8_is_an_error_at_its_line(tmp_path: Path) -> None:
    hierarchy = opened(tmp_path, common="")
    (tmp_path / "data/common.yaml").write_bytes(b"a: 1\nb: \xc3\xa9\xff\n")
    assert problems(lambda: hierarchy.lookup("a")) == [f"{tmp_path}/data/common.yaml:2:5: not UTF-8; save the file as UTF-8"]


def test_a_directory_in_the_place_of_a_data_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data/common.yaml").mkdir(parents=True)
    hierarchy = opened(tmp_path)
    hint = "a data file is wanted here, not a directory"
    assert problems(lambda: hierarchy.lookup("a")) == [
        f"{tmp_path}/hiera.yaml:5:5: {tmp_path}/data/common.yaml: cannot read it: Is a directory; {hint}"
    ]


def _asked_as_nobody(folder: Path) -> str:
    """What is wrong when the user `nobody` looks up `a`."""
    code = (
        "import os, pathlib, sys, runit_provision.hiera.hierarchy; from runit_provision import hiera; os.setuid(65534)\n"
        "try: hiera.open_hierarchy(pathlib.Path(sys.argv[1]), facts={}, node='n1').lookup('a')\n"
        "except hiera.DataError as error: print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", code, folder / "hiera.yaml"], capture_output=True, text=True, check=True)
    return ran.stdout


def test_a_level_that_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    oracle.root("another user is needed who may not read the file")
    opened(tmp_path, common="a: 1\n")
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    (tmp_path / "data/common.yaml").chmod(0)
    said = "cannot read it: Permission denied; run as a user who may read it, or change its mode"
    assert _asked_as_nobody(tmp_path) == f"{tmp_path}/hiera.yaml:5:5: {tmp_path}/data/common.yaml: {said}\n"


@pytest.mark.parametrize(
    ("where", "mode"), [("path: locked/x.yaml", 0), ("glob: 'locked/*.yaml'", 0), ("glob: 'locked/{x,y}.yaml'", 0o600)]
)
def test_a_folder_that_may_not_be_looked_into_is_an_error_also_for_a_glob(where: str, mode: int, tmp_path: Path) -> None:
    oracle.root("another user is needed who may not read the folder")
    opened(tmp_path, config=f"version: 5\nhierarchy:\n  - name: a\n    {where}\n", locked__x="a: 1\n")
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    (tmp_path / "data/locked").chmod(mode)
    said = _asked_as_nobody(tmp_path)
    assert said.startswith(f"{tmp_path}/hiera.yaml:3:5: {tmp_path}/data/locked")
    assert said.endswith(": cannot look into it: Permission denied; run as a user who may read it, or change its mode\n")


def test_facts_with_the_names_of_puppets_own_variables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "hiera.yaml").write_text("version: 5\n")
    (tmp_path / "facts.yaml").write_text("role: web\nname: x\n5: y\n")
    facts = read_facts(tmp_path / "facts.yaml")
    said = "a fact cannot be called so: it is a variable of Puppet's own; leave it out"
    assert problems(lambda: open_hierarchy(tmp_path / "hiera.yaml", facts=facts, node="n1")) == [
        f"{tmp_path}/facts.yaml:2:1: name: {said}",
        f"{tmp_path}/facts.yaml:3:1: 5: {said}",
    ]


def test_a_long_chain_of_lookups_works_and_one_without_end_is_an_error(tmp_path: Path) -> None:
    links = "".join(f"k{n}: \"%{{lookup('k{n + 1}')}}\"\n" for n in range(400)) + "k400: end\n"
    hierarchy = opened(tmp_path, common=links)
    assert hierarchy.lookup("k250") == "end"
    assert problems(lambda: hierarchy.lookup("k0")) == [
        f"{tmp_path}/data/common.yaml:200:1: k0 -> ... -> k199: more than 200 lookups lead to each other; shorten the chain"
    ]


def test_aliases_nest_data_no_deeper_than_a_file_does(tmp_path: Path) -> None:
    links = "".join(f"k{n}: [[[[[[\"%{{alias('k{n + 1}')}}\"]]]]]]\n" for n in range(30)) + "k30: end\n"
    hierarchy = opened(tmp_path, common=links)
    assert hierarchy.lookup("k20")
    assert problems(lambda: hierarchy.lookup("k0")) == [
        f"{tmp_path}/data/common.yaml:17:10: k0 -> ... -> k16: lookups nest data more than 100 deep; make the values flatter"
    ]


def test_options_of_a_default_hierarchy_that_lead_back_to_it_are_a_circle(tmp_path: Path) -> None:
    module = tmp_path / "modules/m"
    (module / "data").mkdir(parents=True)
    (module / "hiera.yaml").write_text("version: 5\nhierarchy: []\ndefault_hierarchy: [{name: d, path: common.yaml}]\n")
    (module / "data/common.yaml").write_text("lookup_options: {m::k: {merge: \"%{lookup('m::how')}\"}}\nm::k: [1]\nm::how: deep\n")
    (tmp_path / "hiera.yaml").write_text(CONFIG)
    hierarchy = open_hierarchy(tmp_path / "hiera.yaml", facts={}, node="n1", modulepath=(tmp_path / "modules",))
    circle = f"{module}/data/common.yaml:1:25: lookup_options: recursive lookup: lookup_options -> lookup_options; break the circle"
    assert problems(lambda: hierarchy.lookup("m::k")) == [circle]
