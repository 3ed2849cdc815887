"""What is of a type: for each type's name what makes, of the arguments, the test of a value.

Source: Puppet's documentation, "Data types". Known are the types that plain data and Sensitive can have.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from typing import Any

from runit_provision.hiera.ruby.patterns import RubyPattern
from runit_provision.hiera.types.type import DEFAULT, Fail, Holds, Type
from runit_provision.hiera.values.kinds import is_data
from runit_provision.model.data import Sensitive

_SCALARS = (str, int, float)
_BEYOND = 10**400
"""An integer that no bound of a type reaches."""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _range(arguments: list[Any], fail: Fail) -> Callable[[float], bool]:
    """Give what tells whether a number lies between up to two bounds, `default` being none."""
    bounds = [bound for bound in arguments if bound is not None]
    if len(bounds) > 2 or not all(_is_number(bound) or bound is DEFAULT for bound in bounds):
        fail("at most two numbers are wanted")
    low = bounds[0] if bounds and bounds[0] is not DEFAULT else float("-inf")
    high = bounds[1] if len(bounds) > 1 and bounds[1] is not DEFAULT else float("inf")
    return lambda number: bool(low <= number <= high)


def _size(arguments: list[Any], fail: Fail) -> Callable[[float], bool]:
    """Give what tells whether a size is right: bounds as those of a number, from 0, or one Integer type that has them."""
    match arguments:
        case [Type(name="Integer") as bounds]:
            return bounds.holds
        case _:
            return _range(arguments or [0], fail)


def _of(test: Holds) -> Callable[[list[Any], Fail], Holds]:
    def build(arguments: list[Any], fail: Fail) -> Holds:
        if arguments:
            fail("it takes no arguments")
        return test

    return build


def _integer(arguments: list[Any], fail: Fail) -> Holds:
    within = _range(arguments, fail)
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and within(value)


def _float(arguments: list[Any], fail: Fail) -> Holds:
    within = _range(arguments, fail)
    return lambda value: isinstance(value, float) and within(value)


def _boolean(arguments: list[Any], fail: Fail) -> Holds:
    if arguments and not (len(arguments) == 1 and isinstance(arguments[0], bool)):
        fail("true or false is wanted")
    return lambda value: isinstance(value, bool) and (not arguments or value is arguments[0])


def _string(arguments: list[Any], fail: Fail) -> Holds:
    sized = _size(arguments, fail)
    return lambda value: isinstance(value, str) and sized(len(value))


def _enum(arguments: list[Any], fail: Fail) -> Holds:
    folded = bool(arguments) and arguments[-1] is True
    words = [word for word in arguments if not isinstance(word, bool)]
    if not all(isinstance(word, str) for word in words):
        fail("strings are wanted")
    if folded:
        lower = {word.lower() for word in words}
        return lambda value: isinstance(value, str) and value.lower() in lower
    return lambda value: isinstance(value, str) and value in words


def _pattern(arguments: list[Any], fail: Fail) -> Holds:
    patterns = [RubyPattern(argument) if isinstance(argument, str) else argument for argument in arguments]
    if not all(isinstance(pattern, RubyPattern) for pattern in patterns):
        fail("regular expressions are wanted")
    return lambda value: isinstance(value, str) and (not patterns or any(pattern.search(value) for pattern in patterns))


def _split_size(arguments: list[Any], fail: Fail, most: int | None = None) -> tuple[list[Type], Callable[[float], bool]]:
    """Split arguments into types, at most so many, and the size that may follow them."""
    types = list(takewhile(lambda argument: isinstance(argument, Type), arguments[:most]))
    return types, _size(arguments[len(types) :], fail)


def _array(arguments: list[Any], fail: Fail) -> Holds:
    types, sized = _split_size(arguments, fail, 1)
    if len(arguments) == 1 and not types:
        fail("a size alone is two numbers")
    item = types[0].holds if types else _none if arguments else _any
    return lambda value: isinstance(value, list) and sized(len(value)) and all(map(item, value))


def _hash(arguments: list[Any], fail: Fail) -> Holds:
    types, sized = _split_size(arguments, fail, 2)
    if len(types) == 1 or len(arguments) == 1:
        fail("a Hash has a type for its keys and one for its values")
    key, item = (types[0].holds, types[1].holds) if types else (_any, _any)
    return lambda value: isinstance(value, dict) and sized(len(value)) and all(key(name) and item(held) for name, held in value.items())


def _collection(arguments: list[Any], fail: Fail) -> Holds:
    sized = _size(arguments, fail)
    return lambda value: isinstance(value, list | dict) and sized(len(value))


def _iterable(arguments: list[Any], fail: Fail) -> Holds:
    """What Puppet iterates over: lists, a hash's pairs, a string's characters, the numbers below a natural one.

    Of a string and a number it does not look at the single items: any character, any integer has to be of the item's type.
    """
    types = [argument for argument in arguments if isinstance(argument, Type)]
    if len(arguments) > 1 or len(types) != len(arguments):
        fail("one type is wanted")
    item = types[0].holds if types and types[0].name != "Any" else None

    def holds(value: Any) -> bool:
        match value:
            case list():
                return item is None or all(map(item, value))
            case dict():
                return item is None or all(item(list(pair)) for pair in value.items() or [()])
            case str():
                return item is None or item("\uffff")
            case int() if not isinstance(value, bool):
                return value >= 0 if item is None else item(-_BEYOND) and item(_BEYOND)
            case _:
                return False

    return holds


def _tuple(arguments: list[Any], fail: Fail) -> Holds:
    types, sized = _split_size(arguments, fail)
    if len(types) == len(arguments):
        sized = _range([len(types), len(types)] if types else [0], fail)

    def holds(value: Any) -> bool:
        if not isinstance(value, list) or not sized(len(value)):
            return False
        return all(types[min(index, len(types) - 1)].holds(item) for index, item in enumerate(value)) if types else True

    return holds


def _struct(arguments: list[Any], fail: Fail) -> Holds:
    if not arguments:
        return lambda value: value == {}
    members = arguments[0]
    if len(arguments) != 1 or not isinstance(members, list):
        fail("members in braces are wanted")
    names = {name for name, _, _ in members}

    def holds(value: Any) -> bool:
        if not isinstance(value, dict) or not names.issuperset(value):
            return False
        return all(type_.holds(value[name]) if name in value else optional for name, type_, optional in members)

    return holds


def _variant(arguments: list[Any], fail: Fail) -> Holds:
    if not arguments or not all(isinstance(argument, Type) for argument in arguments):
        fail("types are wanted")
    return lambda value: any(type_.holds(value) for type_ in arguments)


def _wrapped(arguments: list[Any], fail: Fail) -> Holds:
    """The one argument of Optional and NotUndef: a type, or a string that is meant itself; none means anything."""
    if not arguments:
        return _any
    if len(arguments) != 1 or not isinstance(arguments[0], Type | str):
        fail("one type is wanted")
    inner = arguments[0]
    return inner.holds if isinstance(inner, Type) else lambda value: isinstance(value, str) and value == inner


def _optional(arguments: list[Any], fail: Fail) -> Holds:
    inner = _wrapped(arguments, fail)
    return lambda value: value is None or (bool(arguments) and inner(value))


def _not_undef(arguments: list[Any], fail: Fail) -> Holds:
    inner = _wrapped(arguments, fail)
    return lambda value: value is not None and inner(value)


def _sensitive(arguments: list[Any], fail: Fail) -> Holds:
    inner = _wrapped(arguments, fail)
    return lambda value: isinstance(value, Sensitive) and inner(value.unwrap())


def _any(_value: Any) -> bool:
    return True


def _none(_value: Any) -> bool:
    """The type of an Array's items when only its size is given: nothing is of it but an empty list."""
    return False


def _is_rich_data(value: Any) -> bool:
    match value:
        case dict():
            return all((isinstance(key, str) or _is_number(key)) and _is_rich_data(item) for key, item in value.items())
        case list():
            return all(map(_is_rich_data, value))
        case Sensitive():
            return True
        case _:
            return value is None or isinstance(value, _SCALARS)


BUILDERS: dict[str, Callable[[list[Any], Fail], Holds]] = {
    "Any": _of(_any),
    "Undef": _of(lambda value: value is None),
    "Scalar": _of(lambda value: isinstance(value, _SCALARS)),
    "ScalarData": _of(lambda value: isinstance(value, _SCALARS)),
    "Data": _of(is_data),
    "RichData": _of(_is_rich_data),
    "Numeric": _of(_is_number),
    "Integer": _integer,
    "Float": _float,
    "Boolean": _boolean,
    "String": _string,
    "Enum": _enum,
    "Pattern": _pattern,
    "Array": _array,
    "Hash": _hash,
    "Collection": _collection,
    "Iterable": _iterable,
    "Tuple": _tuple,
    "Struct": _struct,
    "Variant": _variant,
    "Optional": _optional,
    "NotUndef": _not_undef,
    "Sensitive": _sensitive,
}
