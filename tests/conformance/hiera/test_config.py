"""hiera.yaml: every fault of it, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance.hiera.laid import opened, problems

from runit_provision.hiera import open_hierarchy


def test_a_name_that_no_file_can_have_is_nowhere_and_one_with_a_null_is_an_error(tmp_path: Path) -> None:
    config = "version: 5\nhierarchy: [{name: a, path: '%{role}.yaml'}]\n"
    (tmp_path / "hiera.yaml").write_text(config)
    assert open_hierarchy(tmp_path / "hiera.yaml", facts={"role": "x" * 300}, node="n1").find("a") is None
    assert problems(lambda: open_hierarchy(tmp_path / "hiera.yaml", facts={"role": "\0"}, node="n1")) == [
        f"{tmp_path}/hiera.yaml:2:13: a path with a null character; look at the facts that it is made of"
    ]


def test_a_missing_hiera_yaml_is_an_error(tmp_path: Path) -> None:
    hint = "check the name; a relative one starts from the current directory"
    assert problems(lambda: open_hierarchy(tmp_path / "hiera.yaml", facts={}, node="n1")) == [
        f"{tmp_path}/hiera.yaml: cannot read it: No such file or directory; {hint}"
    ]


def test_every_fault_of_hiera_yaml_is_told_at_once(tmp_path: Path) -> None:
    config = (
        "version: 5\nhierachy: []\ndefaults: {data_hash: yaml_data, bogus: 1}\nhierarchy:\n"
        "  - name: a\n    path: x\n    glob: y\n  - name: a\n    data_hash: yml_data\n    path: x\n  - path: [x]\n"
    )
    where = f"{tmp_path}/hiera.yaml"
    assert problems(lambda: opened(tmp_path, config=config)) == [
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
    (problem,) = problems(lambda: opened(tmp_path, config=f"version: 5\n{written}\n"))
    assert problem.startswith(f"{tmp_path}/hiera.yaml:{said}")
