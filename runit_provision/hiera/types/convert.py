"""convert_to: what lookup_options turn a found value into, by the rules of Puppet's `new` function.

Known are the types that data can have (see `types`) and Sensitive.
"""

from __future__ import annotations

import math
import re
from typing import Any

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.hiera.types.cannot import CannotError
from runit_provision.hiera.types.expressions import parse_type
from runit_provision.hiera.types.hashes import paired, tree
from runit_provision.hiera.types.misfit import first_misfit
from runit_provision.hiera.types.sprintf import FormatError
from runit_provision.hiera.types.string_format import string_of
from runit_provision.hiera.types.type import Type
from runit_provision.hiera.values.digits import TooLongError, integer
from runit_provision.hiera.values.kinds import kind
from runit_provision.hiera.values.secret import cleared, holds_secret, veiled
from runit_provision.hiera.values.ways import dotted
from runit_provision.model.data import Array, Sensitive, Table, locate

_BLANKS = r"(?:(?<=[+-])[ \t]*|(?<![+-])[ \t\r\n\f\v]*)"
"""Before a number; between it and its sign not all that is blank."""
_INTEGER = re.compile(rf"([+-]?){_BLANKS}(\d+|0[xX][0-9A-Fa-f]+|0[bB][01]+)", re.ASCII)
_FLOAT = re.compile(rf"([+-]?){_BLANKS}((?:0|[1-9]\d*)(?:\.\d+)?(?:[eE]-?\d+)?|0[xX][0-9A-Fa-f]+|0[0-7]+|0[bB][01]+)", re.ASCII)
_ZERO = re.compile(r"0+(?:\.0*)?[eE].*")
_PREFIXES = {"0x": 16, "0b": 2}
_RADIXES = (2, 8, 10, 16)
_LONGEST = 1_000_000
"""Items of a list that a number becomes."""
_TRUE = ("true", "yes", "y")
_FALSE = ("false", "no", "n")


def convert(value: Any, to: list[Any], mark: Mark | None, key: str, place: Mark | None = None) -> Any:
    """Give `value` as the type `to[0]`, with the further items as arguments; what a secret becomes is secret.

    Raises DataError when it cannot be, at `mark`, where convert_to stands; `place` is where the value is from.
    """
    name, *arguments = to or [None]
    if not isinstance(name, str):
        raise DataError(Problem(f"convert_to names a type, not {kind(name)}", mark, key=key, hint="as `convert_to: Sensitive`"))
    wanted = parse_type(name, mark, key)
    bare = cleared(value)
    if not arguments and wanted.holds(bare):
        return value
    result = bare
    try:
        result = _new(wanted, bare, arguments)
        _check(wanted, result, is_secret=holds_secret(value))
    except (CannotError, TooLongError) as error:
        path = error.path if isinstance(error, CannotError) else ()
        where = (locate(result, path) if path else None) or place
        hint = f"the value is in {where}" if where else ""
        raise DataError(Problem(f"convert_to {wanted.text} failed: {error}", mark, key=dotted(key, path), hint=hint)) from None
    return veiled(result) if holds_secret(value) else result


def _check(wanted: Type, result: Any, *, is_secret: bool) -> None:
    """Raise CannotError when what came of the conversion is not of the type."""
    misfit = first_misfit(wanted, result, is_secret=is_secret)
    if misfit is None:
        return
    if misfit.path:
        raise CannotError(f"{misfit.what}, and no {misfit.wanted}", misfit.path)
    held = f" that holds {kind(result.unwrap())}" if isinstance(result, Sensitive) else ""
    raise CannotError(f"it became {kind(result)}{held}, which is no {wanted.text}")


def _new(wanted: Type, value: Any, arguments: list[Any]) -> Any:
    match wanted.name:
        case "Sensitive":
            _given(arguments, 0)
            return value if isinstance(value, Sensitive) else Sensitive(value)
        case "String":
            return _string(value, _given(arguments, 1))
        case "Integer":
            return _integer(value, *_given(arguments, 2))
        case "Float" | "Numeric":
            return _number(wanted.name, value, *_given(arguments, 1))
        case "Boolean":
            _given(arguments, 0)
            return _boolean(value)
        case "Array" | "Tuple":
            return _array(value, *_given(arguments, 1))
        case "Hash" | "Struct":
            return tree(value, *_given(arguments, 1)) if arguments else _hash(value)
        case "Optional" | "NotUndef" if wanted.types:
            return _new(wanted.types[0], value, arguments)
        case _:
            raise CannotError(f"nothing can be converted to {wanted.name}")


def _given(arguments: list[Any], most: int) -> list[Any]:
    if len(arguments) > most:
        raise CannotError("too many arguments")
    return arguments


def _string(value: Any, formats: list[Any]) -> str:
    if any(not isinstance(form, str) and form != {} for form in formats):
        raise CannotError("a format is a String as '%x'; those for items have types as keys, which data cannot write")
    try:
        return string_of(value, next((form for form in formats if isinstance(form, str)), None))
    except FormatError as error:
        raise CannotError(str(error)) from None


def _integer(value: Any, radix: Any = None, absolute: Any = False) -> int:
    if isinstance(value, dict) and radix is None and "from" in value and set(value) <= {"from", "radix", "abs"}:
        return _integer(value["from"], value.get("radix"), value.get("abs", False))
    if (radix is not None and (isinstance(radix, bool) or radix not in _RADIXES)) or not isinstance(absolute, bool):
        raise CannotError("the arguments are a radix of 2, 8, 10 or 16, and true for the absolute value")
    match value:
        case bool() | int() | float():
            result = _truncated(value)
        case str() if found := _INTEGER.fullmatch(value):
            result = _digits(found[1], found[2], radix)
        case _:
            raise CannotError(f"{kind(value)} is no number" if not isinstance(value, str) else "the string is no number")
    return abs(result) if absolute else result


def _truncated(value: float) -> int:
    try:
        return int(value)
    except (OverflowError, ValueError):
        raise CannotError("the number is not finite") from None


def _digits(sign: str, digits: str, radix: Any) -> int:
    base = _PREFIXES.get(digits[:2].lower())
    if base == 2 and radix == 16:
        base = None  # hexadecimal digits, all of them
    elif base:
        digits = digits[2:]
    elif radix is None and len(digits) > 1 and digits[0] == "0":
        base = 8
    if radix is not None and base and base != radix:
        raise CannotError("the string's prefix and the radix do not fit")
    try:
        return integer(sign + digits, base or radix or 10)
    except TooLongError:
        raise
    except ValueError:
        raise CannotError("the string is no number of this radix") from None


def _number(name: str, value: Any, *absolute: Any) -> float:
    """Give a Float; for Numeric an Integer where the text has no fraction and no exponent."""
    if isinstance(value, dict) and not absolute and "from" in value and set(value) <= {"from", "abs"}:
        return _number(name, value["from"], value.get("abs", False))
    if not all(isinstance(argument, bool) for argument in absolute):
        raise CannotError("the argument is true for the absolute value")
    result = _as_number(value, name)
    return abs(result) if any(absolute) else result


def _as_number(value: Any, name: str) -> float:
    match value:
        case bool() | int():
            return int(value) if name == "Numeric" else float(value)
        case float():
            return value
        case str() if found := _FLOAT.fullmatch(value):
            return _parsed_number(found[1], found[2], name)
        case str():
            raise CannotError("the string is no number")
        case _:
            raise CannotError(f"{kind(value)} is no number")


def _parsed_number(sign: str, text: str, name: str) -> float:
    whole = name == "Numeric"
    base = _PREFIXES.get(text[:2].lower())
    if base == 2 and sign:
        raise CannotError("a binary number has no sign here")
    if base:
        number: float = integer(text[2:], base)
    elif re.search(r"[.eE]", text):
        number = float(text)
        if whole and (math.isinf(number) or _ZERO.fullmatch(text)):
            raise CannotError("the number is beyond a Float, or zero with an exponent")
    else:
        number = integer(text, 8 if whole and len(text) > 1 and text[0] == "0" else 10)
    number = number if whole else float(number)
    return -number if sign == "-" else number


def _boolean(value: Any) -> bool:
    match value:
        case int() | float():
            return value != 0
        case str() if value.lower() in _TRUE:
            return True
        case str() if value.lower() in _FALSE:
            return False
        case str():
            raise CannotError("the string is none of true, yes, y, false, no, n")
        case _:
            raise CannotError(f"{kind(value)} is no Boolean")


def _array(value: Any, wrap: Any = False) -> Array:
    if not isinstance(wrap, bool):
        raise CannotError("the argument is true to wrap a value that is no list")
    match value:
        case Array():
            return value
        case _ if wrap:
            return Array([value])
        case Table():
            places = [value.marks.get(key, value.mark) for key in value]
            pairs = (Array(pair, marks=[mark, mark], mark=mark) for pair, mark in zip(value.items(), places, strict=True))
            return Array(pairs, marks=places, mark=value.mark)
        case str():
            return Array(value)
        case int() if not isinstance(value, bool) and value >= 0:
            if value > _LONGEST:
                raise CannotError(f"a list of more than {_LONGEST:,} numbers")
            return Array(range(value))
        case _:
            raise CannotError(f"{kind(value)} is no list")


def _hash(value: Any) -> Table:
    match value:
        case Table():
            return value
        case Array():
            return paired(value)
        case str() | int() if not isinstance(value, bool):
            return paired(_array(value))
        case _:
            raise CannotError(f"{kind(value)} is no Hash")
