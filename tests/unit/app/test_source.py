"""Facts from the command line, and the two forms in which data name what is to be provisioned."""

from __future__ import annotations

from pathlib import Path

import pytest

from runit_provision.app.facts import set_facts
from runit_provision.app.source import Source
from runit_provision.errors import DataError
from runit_provision.model.data import Table


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
        ("runit: {users: [a]}\nrunit::users: [b]\n", "given below `runit` too"),
        ("- 1\n", "not a hash"),
    ],
)
def test_data_that_say_nothing_or_twice_are_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        resolve(tmp_path, text)
    assert [problem.message for problem in caught.value.problems] == [said]
