"""The deep merge, with the results that the deep_merge library gives."""

from __future__ import annotations

from typing import Any

import pytest

from runit_provision.errors import DataError
from runit_provision.hiera.deep_merge import DeepOptions, deep_merge
from runit_provision.hiera.formats.yaml_document import parse_yaml


def _merged(high: str, low: str, **options: Any) -> Any:
    return deep_merge(parse_yaml(high, "high"), parse_yaml(low, "low"), DeepOptions(**options))


@pytest.mark.parametrize(
    ("high", "low", "options", "result"),
    [
        ("{a: 1, b: {x: 1}}", "{b: {y: 2}, c: 3}", {}, {"b": {"y": 2, "x": 1}, "c": 3, "a": 1}),
        ("[n, m]", "[c, m]", {}, ["c", "m", "n"]),
        ("~", "5", {}, 5),
        ("{a: ~}", "{a: 5}", {}, {"a": 5}),
        ("{a: 5}", "{a: false}", {}, {"a": 5}),
        ("{a: {}}", "{a: {x: 1}}", {}, {"a": {"x": 1}}),
        ("{a: [1]}", "{a: {x: 1}}", {}, {"a": [1]}),
        ("[1, 1.0, true]", "['1']", {}, ["1", 1, 1.0, True]),
        ("{a: ['--x', y]}", "{a: [x, z]}", {"knockout_prefix": "--"}, {"a": ["z", "y"]}),
        ("{a: '--'}", "{a: [x]}", {"knockout_prefix": "--"}, {"a": ""}),
        ("{a: ['--', y]}", "{a: [x, z]}", {"knockout_prefix": "--"}, {"a": ["y"]}),
        ("['--1']", "[1, '1']", {"knockout_prefix": "--"}, [1]),
        ("[b]", "[c, a]", {"sort_merged_arrays": True}, ["a", "b", "c"]),
        ("[{x: 1}, {z: 3}]", "[{y: 2}]", {"merge_hash_arrays": True}, [{"y": 2, "x": 1}, {"z": 3}]),
        ("[{x: 1}]", "[{y: 2}]", {}, [{"y": 2}, {"x": 1}]),
        ("[1]", "[2]", {"overwrite_arrays": True}, [1]),
        ("{a: 1}", "{a: [2]}", {"extend_existing_arrays": True}, {"a": [2, 1]}),
    ],
)
def test_two_values_merge_to_the_librarys_result(high: str, low: str, options: dict[str, Any], result: Any) -> None:
    merged = _merged(high, low, **options)
    assert merged == result
    if isinstance(result, dict):
        assert list(merged) == list(result)


def test_neither_value_changes() -> None:
    high, low = parse_yaml("{a: ['--x', y]}", "high"), parse_yaml("{a: [x]}", "low")
    deep_merge(high, low, DeepOptions(knockout_prefix="--"))
    assert (high, low) == ({"a": ["--x", "y"]}, {"a": ["x"]})


def test_items_of_several_kinds_cannot_be_sorted() -> None:
    with pytest.raises(DataError, match=r"sort_merged_arrays cannot order (an Integer and a String|a String and an Integer)"):
        _merged("[1]", "[a]", sort_merged_arrays=True)
