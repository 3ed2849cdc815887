"""What a user of our hierarchy has beyond the values: files read once, many nodes, listed keys, defaults, options that ask for keys."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from conformance.hiera.laid import opened, problems

from runit_provision.errors import Mark
from runit_provision.hiera import open_hierarchy, read_facts, read_yaml
from runit_provision.model.data import locate


def test_a_file_is_parsed_once_for_all_keys_and_nodes(tmp_path: Path) -> None:
    hierarchy = opened(tmp_path, nodes__n1="a: 1\n", nodes__n2="a: 2\n", common="b: 3\n")
    assert [hierarchy.lookup("a"), hierarchy.lookup("b")] == [1, 3]
    (tmp_path / "data/common.yaml").write_text("b: 4\n")
    assert [hierarchy.for_node("n2", {}).lookup(key) for key in ("a", "b")] == [2, 3]


def test_another_node_has_trusted_facts_of_its_own(tmp_path: Path) -> None:
    config = "version: 5\nhierarchy: [{name: a, path: '%{trusted.extensions.pp_role}.yaml'}]\n"
    opened(tmp_path, config=config, web="a: 1\n", db="a: 2\n")
    trusted = {"extensions": {"pp_role": "web"}}
    hierarchy = open_hierarchy(tmp_path / "hiera.yaml", facts={}, node="n1", trusted=trusted)
    other = hierarchy.for_node("n2", {}, trusted={"extensions": {"pp_role": "db"}})
    assert [each.find("a") and each.lookup("a") for each in (hierarchy, other, hierarchy.for_node("n3", {}))] == [1, 2, None]


def test_the_first_key_that_is_found_wins_and_a_default_is_last(tmp_path: Path) -> None:
    hierarchy = opened(tmp_path, common="b: 3\nc: ~\n")
    assert hierarchy.lookup("a", "b") == 3
    assert hierarchy.lookup("a", "c", default=1) is None
    assert hierarchy.lookup("a", default=1) == 1


def test_keys_lists_what_any_file_has(tmp_path: Path) -> None:
    hierarchy = opened(tmp_path, nodes__n1="runit::users: [a]\nx: 1\n", common="runit::package_file: p\nlookup_options: {}\n")
    assert hierarchy.keys("runit::") == ["runit::users", "runit::package_file"]
    assert hierarchy.keys() == ["runit::users", "x", "runit::package_file"]


def test_lookup_options_may_look_up_keys_which_have_no_options_meanwhile(tmp_path: Path) -> None:
    hierarchy = opened(
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


def test_facts_are_read_as_facter_and_as_puppet_facts_print_them(tmp_path: Path) -> None:
    plain, wrapped, wrong = tmp_path / "a.json", tmp_path / "b.yaml", tmp_path / "c.yaml"
    plain.write_text('{"os": {"family": "Debian"}}')
    wrapped.write_text("name: n1\nvalues:\n  os: {family: Debian}\n")
    wrong.write_text("- os\n")
    assert read_facts(plain) == read_facts(wrapped) == {"os": {"family": "Debian"}}
    assert problems(lambda: read_facts(wrong)) == [f"{wrong}:1:1: facts are a hash of names and values; as `facter --yaml` prints them"]


def test_read_yaml_reads_json_by_its_name_with_places(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text('{"a": [1,\n  {"b": 2}]}')
    assert locate(read_yaml(path), ["a", 1, "b"]) == Mark(str(path), 2, 4)


def test_looking_up_imports_nothing_heavy(tmp_path: Path) -> None:
    opened(tmp_path, common="a: 1\n")
    code = (
        "import pathlib, sys; from runit_provision import hiera\n"
        "assert hiera.open_hierarchy(pathlib.Path(sys.argv[1]), facts={}, node='n1').lookup('a') == 1\n"
        "heavy = {'pydantic', 'jinja2', 'rich', 'ruamel', 'click', 'cryptography', 'hocon', 'difflib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code, tmp_path / "hiera.yaml"], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
