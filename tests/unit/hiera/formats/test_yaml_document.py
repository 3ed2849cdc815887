"""YAML as Psych reads it, with places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runit_provision.errors import DataError, Mark
from runit_provision.hiera.formats.json_document import parse_json
from runit_provision.hiera.formats.yaml_document import parse_yaml
from runit_provision.model.data import locate


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1,000, 08:30, 0:1, '1:2']", [1, 0, 30600, 60, "1:2"]),
        ("- 1,000\n- 1:2\n- =\n- 0755\n- 0o755\n- 1e3\n- yes\n- ~\n-\n", [1000, 3720, "=", 493, "0o755", "1e3", True, None, None]),
        ("!x foo", "foo"),
        ('!!int "5"', 5),
        ("a: 1\na: 2\n", {"a": 2}),
        ("a: 1\n---\n: : not read\n", {"a": 1}),
        ("", None),
        (":t: 1", {"t": 1}),
        ("base: &b {x: 1, y: 2}\nuse: {x: 5, <<: *b}\n", {"base": {"x": 1, "y": 2}, "use": {"x": 1, "y": 2}}),
        ("a: {<<: [{x: 1}, {x: 2, y: 3}]}", {"a": {"x": 1, "y": 3}}),
        ("a: {<<: 5}", {"a": {"<<": 5}}),
        ("a: &x 1\nb: &x 2\nc: *x\n", {"a": 1, "b": 2, "c": 2}),
    ],
)
def test_a_document_has_the_value_that_puppet_gives_it(text: str, value: Any) -> None:
    assert parse_yaml(text, "f") == value


def test_every_item_knows_its_line_and_column() -> None:
    data = parse_yaml("runit:\n  users:\n    - app1\n    - {name: app2}\n", "common.yaml")
    assert locate(data, ["runit", "users"]) == Mark("common.yaml", 2, 3)
    assert locate(data, ["runit", "users", 0]) == Mark("common.yaml", 3, 7)
    assert locate(data, ["runit", "users", 1, "name"]) == Mark("common.yaml", 4, 8)


def test_a_key_that_stands_twice_is_warned_of_with_both_lines() -> None:
    data = parse_yaml("a: &a {x: 1}\nb: {<<: *a, <<: {y: 2}, x: 3}\nc:\n  d: 1\n  d: 2\na: 4\n", "f.yaml")
    assert data == {"a": 4, "b": {"x": 3, "y": 2}, "c": {"d": 2}}
    assert [str(warning) for warning in data.warnings] == [
        "f.yaml:5:3: the key 'd' stands here once more: what line 4 says of it is lost; keep one of both",
        "f.yaml:6:1: the key 'a' stands here once more: what line 1 says of it is lost; keep one of both",
    ]


def test_a_key_is_named_in_the_words_of_yaml() -> None:
    assert [str(warning) for warning in parse_yaml("{yes: 1, on: 2, ~: 3, null: 4}", "f.yaml").warnings] == [
        f"f.yaml:1:{column}: the key {key} stands here once more: what line 1 says of it is lost; keep one of both"
        for column, key in ((10, "true"), (23, "null"))
    ]


@pytest.mark.parametrize("value", ["2020-01-31", ".e+31", "!!float hunter31"])
def test_what_is_refused_is_told_without_the_value_which_may_be_a_secret(value: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_yaml(f"a: {value}\n", "f.yaml")
    assert str(caught.value).startswith("f.yaml:1:4: ")
    assert "31" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "column", "what"),
    [
        ("a: 1\n\tb: 2\n", 2, 1, "tab"),
        ("a: &x [1, *x]\n", 1, 11, "alias *x stands inside"),
        ("a: *x\n", 1, 4, "unknown alias"),
        ("a: 2020-01-01\n", 1, 4, "date"),
        ("a: !!set {b}\n", 1, 4, "names a class"),
        ("a: !ruby/object:Foo {b: 1}\n", 1, 4, "names a class"),
        ("a: [1\nb: 2\n", 2, 2, "not YAML"),
        ("\ufeff---\na: 1\n", 1, 1, "byte order mark"),
        ("é: b\x01c\n", 1, 5, "control characters"),
    ],
)
def test_what_puppet_refuses_is_an_error_with_its_place(text: str, line: int, column: int, what: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_yaml(text, "f.yaml")
    (problem,) = caught.value.problems
    assert problem.mark == Mark("f.yaml", line, column)
    assert what in str(problem)
    assert problem.hint


def test_aliases_that_would_explode_are_refused() -> None:
    bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    with pytest.raises(DataError, match="repeat more than"):
        parse_yaml(bomb, "f")


@pytest.mark.parametrize("parse", [parse_yaml, parse_json])
def test_what_is_nested_more_than_a_hundred_deep_is_refused(parse: Callable[[str, str], Any]) -> None:
    assert parse("[" * 100 + "]" * 100, "f")
    with pytest.raises(DataError, match=r"f:1:101: .*nested more than 100 deep"):
        parse("[" * 101 + "]" * 101, "f")
