"""Facts from the command line, and the two forms in which data name what is to be provisioned."""

from __future__ import annotations

from pathlib import Path

import pytest

from runit_provision.app.facts import set_facts
from runit_provision.app.source import Source
from runit_provision.errors import DataError
from runit_provision.model.data import Table
from runit_provision.schema import read_host


def test_a_dotted_fact_is_an_item_of_a_structured_one_and_wins_over_the_file() -> None:
    facts = Table([("os", Table([("family", "RedHat"), ("name", "Rocky")])), ("role", "web")])
    assert set_facts(facts, {"os.family": "Debian", "a.b.c": "1", "role": "db"}) == {
        "os": {"family": "Debian", "name": "Rocky"},
        "role": "db",
        "a": {"b": {"c": "1"}},
    }
    assert facts["os"]["family"] == "RedHat"


def resolve(tmp_path: Path, text: str) -> Table:
    (tmp_path / "data.yaml").write_text(text)
    return Source(data=tmp_path / "data.yaml").resolve().data


def test_keys_of_automatic_bindings_names_join_the_hash_and_keep_their_places(tmp_path: Path) -> None:
    data = resolve(tmp_path, "runit:\n  owner: me\nrunit::users: [a]\nother: 1\n")
    assert data == {"owner": "me", "users": ["a"]}
    assert [data.marks[key].line for key in data] == [2, 3]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("other: 1\n", "nothing says what to provision"),
        ("runit:\n", "nothing says what to provision"),
        ("runit: [a]\n", "has to be a hash"),
        ("runit: {__ptype: Sensitive, __pvalue: {owner: hunter2}}\n", "has to be a hash, not a secret"),
        ("runit: {users: [a]}\nrunit::users: [b]\n", "given below `runit` too"),
        ("- 1\n", "not a hash"),
    ],
)
def test_data_that_say_nothing_or_twice_are_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        resolve(tmp_path, text)
    assert [problem.message for problem in caught.value.problems] == [said]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("{runit: {convert_to: Sensitive}}", "common.yaml:2:1: runit: has to be a hash, not a secret; names and commands are shown"),
        ("{runit::services: {convert_to: Sensitive}}", "common.yaml:4:1: runit.services: has to be a hash, not a secret"),
    ],
)
def test_a_hierarchy_that_makes_a_hash_a_secret_is_refused_and_nothing_of_it_is_shown(tmp_path: Path, options: str, said: str) -> None:
    (tmp_path / "hiera.yaml").write_text("{version: 5, hierarchy: [{name: common, path: common.yaml}]}")
    (tmp_path / "data").mkdir()
    services = "{web: {command: x, env: {A: hunter2}, log: hunter2}}"
    (tmp_path / "data/common.yaml").write_text(f"lookup_options: {options}\nrunit:\n  owner: root\nrunit::services: {services}\n")
    (tmp_path / "facts.yaml").write_text("{}")
    with pytest.raises(DataError) as caught:
        data = Source(hiera_config=tmp_path / "hiera.yaml", facts_file=tmp_path / "facts.yaml", node="n").resolve().data
        read_host(data, {})
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


TAGGED = """\
runit:
  services:
    web:
      command: !Foo [sleep]
      env:
        A: !vault "$ANSIBLE_VAULT;1.1;AES256"
        B: !Sensitive hunter2
        !Foo C: c
        D: !!python/tuple []
"""


def test_a_tag_that_is_unknown_is_an_error_with_its_key_and_how_a_secret_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        resolve(tmp_path, TAGGED)
    file, secret = tmp_path / "data.yaml", "a secret is written {__ptype: Sensitive, __pvalue: TEXT}"
    decrypt = "decrypt it first, as Ansible's filter `to_json` does"
    assert str(caught.value).splitlines() == [
        f"{file}:4:16: runit.services.web.command: the tag !Foo is unknown; remove it; {secret}",
        f"{file}:6:12: runit.services.web.env.A: the tag !vault is unknown; {decrypt}; {secret}",
        f"{file}:7:12: runit.services.web.env.B: the tag !Sensitive is unknown; remove it; {secret}",
        f"{file}:8:9: runit.services.web.env: the tag !Foo is unknown; remove it; {secret}",
        f"{file}:9:12: runit.services.web.env.D: the tag tag:yaml.org,2002:python/tuple is unknown; remove it; {secret}",
    ]


def test_tags_that_say_what_yaml_itself_knows_stay(tmp_path: Path) -> None:
    text = "runit: {a: !!str 1, b: !!int '7', c: !!float '1', d: !!binary aGk=, e: ! x, f: !!seq [1], g: !!map {h: !!bool 'yes'}}\n"
    assert resolve(tmp_path, text) == {"a": "1", "b": 7, "c": 1.0, "d": "hi", "e": "x", "f": [1], "g": {"h": True}}
