"""Puppet's types: what is one of them, and what becomes one."""

from __future__ import annotations

from typing import Any

import pytest

from runit_provision.errors import DataError, Mark
from runit_provision.hiera.types.convert import convert
from runit_provision.hiera.types.expressions import parse_type
from runit_provision.hiera.types.misfit import Misfit, first_misfit
from runit_provision.hiera.values.secret import SecretText
from runit_provision.model.data import Array, Sensitive, Table


@pytest.mark.parametrize(
    ("text", "holds", "refuses"),
    [
        ("Integer[1, 10]", [1, 10], [0, 11, 1.0, True, "1"]),
        ("Integer[default, 5]", [-100, 5], [6]),
        ("String[1, 3]", ["a", "abc"], ["", "abcd", 1, None]),
        ("Boolean[true]", [True], [False, 1]),
        ("Array[String, 1]", [["a"]], [[], [1], "a"]),
        ("Hash[String, Integer]", [{}, {"a": 1}], [{"a": "b"}, {1: 1}]),
        ("Struct[{port => Integer, Optional[host] => String}]", [{"port": 1}, {"port": 1, "host": "h"}], [{}, {"port": 1, "x": 2}]),
        ("Tuple[Integer, String]", [[1, "a"]], [[1], [1, "a", "b"]]),
        ("Enum['a', 'b']", ["a"], ["A", "c"]),
        ("Pattern[/\\A[a-z]+\\z/]", ["abc"], ["abc1", "abc\n"]),
        ("Optional[Variant[Integer, Enum[auto]]]", [None, 1, "auto"], ["x"]),
        ("Sensitive[String]", [Sensitive("x")], [Sensitive(1), "x"]),
        ("Data", [{"a": [1, None]}], [{1: 2}]),
        ("INTEGER[- 0x2, 010]", [-2, 8], [-3, 9]),
        ("Array[String, Integer[1, 2]]", [["a"]], [[], ["a", "b", "c"]]),
        ("Enum", [], ["a"]),
        ("/* or none */ Optional[Integer]", [None, 1], ["a"]),
        (" Tuple[ String , # the name\n Integer[ 1, ] , ] # all", [["a", 1]], [["a", 0]]),
    ],
)
def test_a_type_holds_its_values_and_no_others(text: str, holds: list[Any], refuses: list[Any]) -> None:
    wanted = parse_type(text)
    assert [value for value in holds if not wanted.holds(value)] == []
    assert [value for value in refuses if wanted.holds(value)] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Strin",
        "Array[",
        "Integer[1, 2, 3]",
        "String]",
        "Hash[String]",
        "Enum[1]",
        "Stdlib::Port",
        "Sensitive [String]",
        "integer",
        "Integer[08]",
        "Array[1]",
        "Hash[1]",
        "String['a']",
    ],
)
def test_what_is_no_type_is_an_error(text: str) -> None:
    with pytest.raises(DataError, match="is not a type"):
        parse_type(text)


def test_a_type_of_puppets_that_no_data_can_have_is_said_to_be_one() -> None:
    with pytest.raises(DataError, match="`Array\\[SemVer\\]` is not a type: no plain data is a SemVer"):
        parse_type("Array[SemVer]")


@pytest.mark.parametrize(
    ("value", "to", "result"),
    [
        ("0x1F", ["Integer"], 31),
        ("- 5", ["Integer"], -5),
        ("11", ["Integer", 2], 3),
        (2.9, ["Integer"], 2),
        ("1e3", ["Numeric"], 1000.0),
        ("017", ["Numeric"], 15),
        ("Yes", ["Boolean"], True),
        (0, ["Boolean"], False),
        ("ab", ["Array"], ["a", "b"]),
        ("ab", ["Array", True], ["ab"]),
        (Array(["a", 1]), ["Hash"], {"a": 1}),
        (Table([("x", Array([1, 2.5, "it's"]))]), ["String"], "{'x' => [1, 2.5, 'it\\'s']}"),
        (1.5, ["String"], "1.500000"),
        ("s3cret", ["Sensitive"], Sensitive("s3cret")),
    ],
)
def test_a_value_becomes_what_puppets_new_makes_of_it(value: Any, to: list[Any], result: Any) -> None:
    converted = convert(value, to, None, "k")
    assert (type(converted) is type(result) or isinstance(result, list | dict), converted) == (True, result)


def test_an_error_of_a_conversion_does_not_show_the_value() -> None:
    with pytest.raises(DataError) as caught:
        convert("s3cret", ["Integer"], None, "k")
    assert str(caught.value) == "k: convert_to Integer failed: the string is no number"


_MARKED = Array([Table([("port", "x")], marks={"port": Mark("f", 3, 5)})], marks=[Mark("f", 3, 3)], mark=Mark("f", 2, 1))


@pytest.mark.parametrize(
    ("wanted", "value", "misfit"),
    [
        ("Array[String]", ["a", 1, 2], ((1,), "it is an Integer", "String")),
        ("Hash[String, Hash[String, Integer]]", {"a": {"b": "c"}}, (("a", "b"), "it is a String", "Integer")),
        ("Hash[Enum[a], Any]", {"a": 1, "b": 2}, (("b",), "the key is a String", "Enum[a]")),
        ("Tuple[Integer, String]", [1, 2], ((1,), "it is an Integer", "String")),
        ("Struct[{port => Integer}]", {"port": "x"}, (("port",), "it is a String", "Integer")),
        ("Struct[{port => Integer}]", {}, ((), "it is a Hash without `port`", "Struct[{port => Integer}]")),
        ("Struct[{port => Integer}]", {"port": 1, "prot": 2}, ((), "it is a Hash with `prot`", "Struct[{port => Integer}]")),
        ("Optional[Array[Integer]]", ["a"], ((0,), "it is a String", "Integer")),
        ("Variant[String, Array[Integer]]", ["a"], ((0,), "it is a String", "Integer")),
        ("Variant[Array[String], Array[Integer]]", [True], ((), "it is an Array of 1 item", "Variant[Array[String], Array[Integer]]")),
        ("Array[Integer, 2]", [1], ((), "it is an Array of 1 item", "Array[Integer, 2]")),
        ("Data", {"a": [{1: 2}]}, (("a", 0, 1), "the key is an Integer", "String")),
        ("Array[Sensitive[Integer]]", [Sensitive("s3cret")], ((0,), "it is a Sensitive", "Sensitive[Integer]")),
        ("Integer", "s3cret", ((), "it is a String", "Integer")),
    ],
)
def test_the_first_item_that_does_not_fit_is_named_with_what_it_should_be(
    wanted: str, value: Any, misfit: tuple[Any, str, str]
) -> None:
    assert first_misfit(parse_type(wanted), value) == Misfit(*misfit)


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("Array[Hash[String, Integer]]", "k.0.port: convert_to Array[Hash[String, Integer]] failed: it is a String, and no Integer"),
        ("Hash", "k: convert_to Hash failed: a list of an odd number of items is no Hash"),
        ("Array[Data, 2]", "k: convert_to Array[Data, 2] failed: it became an Array, which is no Array[Data, 2]"),
    ],
)
def test_a_conversion_that_fails_names_the_item_that_is_to_blame_and_its_place(to: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        convert(_MARKED, [to], None, "k", Mark("f", 1, 1))
    place = "f:3:5" if said.startswith("k.0") else "f:1:1"
    assert str(caught.value) == f"{said}; the value is in {place}"


def test_a_key_that_no_hash_can_have_is_named() -> None:
    with pytest.raises(DataError, match=r"k\.1\.0: convert_to Hash failed: an Array cannot be a key"):
        convert(Array([["a", 1], [["b"], 2]]), ["Hash"], None, "k")


def test_of_a_value_with_a_secret_in_it_lists_items_are_named_and_no_keys() -> None:
    secret = Array([1, SecretText("s3cret")])
    with pytest.raises(DataError, match=r"^k\.1: convert_to Array\[Integer\] failed: it is a String, and no Integer$"):
        convert(secret, ["Array[Integer]"], None, "k")
    with pytest.raises(DataError, match=r"^k: convert_to Hash\[Integer, Integer\] failed: it became a Hash, which is no "):
        convert(Array([SecretText("s3cret"), 1]), ["Hash[Integer, Integer]"], None, "k")
