"""Puppet's type expressions, as `Array[Integer[1, 10]]`: parsed, and asked whether a value is one.

Source: Puppet's documentation, "Data types". Known are the types that plain data and Sensitive can have.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.hiera.digits import TooLongError, integer
from runit_provision.hiera.kinds import is_data
from runit_provision.hiera.patterns import RubyPattern
from runit_provision.model.data import Sensitive

_BLANKS = re.compile(r"(?:\s|#[^\n]*)*", re.ASCII)
_TOKEN = re.compile(
    r"""(?:\s|\#[^\n]*)*(?:(?P<name>(?:::)?[A-Z]\w*(?:::[A-Z]\w*)*)|(?P<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|(?P<word>[a-z_]\w*)
    |'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)"|/(?P<regex>(?:[^/\\]|\\.)*)/|(?P<sign>=>|[\[\]{},]))""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
Holds = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Type:
    """A type as written: its name and arguments, and `holds`, which tells whether a value is one."""

    text: str
    name: str
    holds: Holds
    arguments: tuple[Any, ...] = ()

    @property
    def types(self) -> list[Type]:
        """The types among the arguments."""
        return [argument for argument in self.arguments if isinstance(argument, Type)]

    @property
    def members(self) -> list[Member]:
        """Of a Struct what its keys have."""
        return next((argument for argument in self.arguments if isinstance(argument, list)), [])


Member = tuple[str, Type, bool]
"""The name, the type of its value, and whether it may be missing."""


class _Default:
    """The word `default` among arguments."""


_DEFAULT = _Default()
_SCALARS = (str, int, float)
_BEYOND = 10**400
"""An integer that no bound of a type reaches."""


def parse_type(text: str, mark: Mark | None = None, key: str = "") -> Type:
    """Give the type that `text` names. Raises DataError when it is no type, or one that data cannot have."""
    parser = _Parser(text, mark, key)
    result = parser.type()
    parser.end()
    return result


class _Parser:
    """Reads one expression from left to right."""

    def __init__(self, text: str, mark: Mark | None, key: str) -> None:
        self._text = text
        self._mark = mark
        self._key = key
        self._at = 0

    def fail(self, what: str) -> NoReturn:
        hint = "as String, Integer[1, 10], Array[String], Hash[String, Integer], Enum['a', 'b'], Optional[...], Variant[...], Sensitive"
        raise DataError(Problem(f"`{self._text}` is not a type: {what}", self._mark, key=self._key, hint=hint))

    def _peek(self) -> re.Match[str] | None:
        return _TOKEN.match(self._text, self._at)

    def _next(self) -> re.Match[str]:
        token = self._peek()
        if token is None:
            self.fail("it ends too early" if not self._text[self._at :].strip() else f"at `{self._text[self._at :]}`")
        self._at = token.end()
        return token

    def _is_next(self, sign: str) -> bool:
        token = self._peek()
        return token is not None and token["sign"] == sign

    def _took(self, sign: str) -> bool:
        token = self._peek()
        if token and token["sign"] == sign:
            self._at = token.end()
            return True
        return False

    def _took_directly(self, sign: str) -> bool:
        """Whether `sign` follows without a blank; after one it begins a list to Puppet, which a type has no place for."""
        before = self._at
        took = self._took(sign)
        if took and self._at != before + len(sign):
            self.fail(f"a blank before `{sign}`")
        return took

    def _need(self, sign: str) -> None:
        if not self._took(sign):
            self.fail(f"`{sign}` is missing")

    def end(self) -> None:
        if not _BLANKS.fullmatch(self._text, self._at):
            self.fail(f"something follows it: `{self._text[self._at :]}`")

    def type(self) -> Type:
        start = self._at
        token = self._next()
        name = (token["name"] or "").removeprefix("::")
        build = _BUILDERS.get(name)
        if build is None:
            self.fail(f"unknown type `{name or token[0].strip()}`")
        arguments = self._arguments() if self._took_directly("[") else []
        holds = build(arguments, self)
        return Type(self._text[start : self._at].strip(), name, holds, tuple(arguments))

    def _arguments(self) -> list[Any]:
        arguments = [self._argument()]
        while self._took(",") and not self._is_next("]"):
            arguments.append(self._argument())
        self._need("]")
        return arguments

    def _argument(self) -> Any:
        token = self._peek()
        if token is None:
            self.fail("an argument is missing")
        if token["name"]:
            return self.type()
        self._at = token.end()
        match token.lastgroup:
            case "number":
                return self._number(token["number"])
            case "word":
                return {"default": _DEFAULT, "true": True, "false": False, "undef": None}.get(token["word"], token["word"])
            case "single" | "double":
                return re.sub(r"\\(.)", r"\1", token[token.lastgroup])
            case "regex":
                return RubyPattern(token["regex"].replace("\\/", "/"), self._mark)
        if token["sign"] != "{":
            self.fail(f"unexpected `{token[0].strip()}`")
        return self._members()

    def _number(self, text: str) -> float:
        try:
            return float(text) if re.search(r"[.eE]", text) else integer(text)
        except TooLongError as error:
            self.fail(str(error))

    def _members(self) -> list[Member]:
        """A Struct's members."""
        members: list[Member] = []
        while not self._took("}"):
            key = self._argument()
            self._need("=>")
            value = self.type()
            optional = isinstance(key, Type) and key.name == "Optional"
            name = _member_name(key) if isinstance(key, Type) else key
            if not isinstance(name, str):
                self.fail("a member's name is missing")
            members.append((name, value, optional or (value.holds(None) and not isinstance(key, Type))))
            if not self._took(","):
                self._need("}")
                break
        return members


def _member_name(key: Type) -> str | None:
    found = re.fullmatch(r"(?:Optional|NotUndef)\[\s*(?:'([^']*)'|\"([^\"]*)\"|(\w+))\s*\]", key.text)
    return next((name for name in found.groups() if name is not None), None) if found else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _range(arguments: list[Any], parser: _Parser) -> Callable[[float], bool]:
    """Give what tells whether a number lies between up to two bounds, `default` being none."""
    bounds = [bound for bound in arguments if bound is not None]
    if len(bounds) > 2 or not all(_is_number(bound) or bound is _DEFAULT for bound in bounds):
        parser.fail("at most two numbers are wanted")
    low = bounds[0] if bounds and bounds[0] is not _DEFAULT else float("-inf")
    high = bounds[1] if len(bounds) > 1 and bounds[1] is not _DEFAULT else float("inf")
    return lambda number: bool(low <= number <= high)


def _of(test: Holds) -> Callable[[list[Any], _Parser], Holds]:
    def build(arguments: list[Any], parser: _Parser) -> Holds:
        if arguments:
            parser.fail("it takes no arguments")
        return test

    return build


def _integer(arguments: list[Any], parser: _Parser) -> Holds:
    within = _range(arguments, parser)
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and within(value)


def _float(arguments: list[Any], parser: _Parser) -> Holds:
    within = _range(arguments, parser)
    return lambda value: isinstance(value, float) and within(value)


def _boolean(arguments: list[Any], parser: _Parser) -> Holds:
    if arguments and not (len(arguments) == 1 and isinstance(arguments[0], bool)):
        parser.fail("true or false is wanted")
    return lambda value: isinstance(value, bool) and (not arguments or value is arguments[0])


def _string(arguments: list[Any], parser: _Parser) -> Holds:
    if len(arguments) == 1 and isinstance(arguments[0], str):
        return lambda value: isinstance(value, str) and value == arguments[0]
    within = _range(arguments, parser)
    return lambda value: isinstance(value, str) and within(len(value))


def _enum(arguments: list[Any], parser: _Parser) -> Holds:
    folded = bool(arguments) and arguments[-1] is True
    words = [word for word in arguments if not isinstance(word, bool)]
    if not all(isinstance(word, str) for word in words):
        parser.fail("strings are wanted")
    if folded:
        lower = {word.lower() for word in words}
        return lambda value: isinstance(value, str) and value.lower() in lower
    return lambda value: isinstance(value, str) and (not words or value in words)


def _pattern(arguments: list[Any], parser: _Parser) -> Holds:
    patterns = [RubyPattern(argument) if isinstance(argument, str) else argument for argument in arguments]
    if not all(isinstance(pattern, RubyPattern) for pattern in patterns):
        parser.fail("regular expressions are wanted")
    return lambda value: isinstance(value, str) and (not patterns or any(pattern.search(value) for pattern in patterns))


def _split_size(arguments: list[Any], parser: _Parser) -> tuple[list[Type], Callable[[float], bool]]:
    """Split arguments into types and the size that may follow them."""
    types = [argument for argument in arguments if isinstance(argument, Type)]
    return types, _range(arguments[len(types) :] or [0], parser)


def _array(arguments: list[Any], parser: _Parser) -> Holds:
    types, sized = _split_size(arguments, parser)
    if len(types) > 1:
        parser.fail("an Array has one type")
    item = types[0].holds if types else _none if arguments else _any
    return lambda value: isinstance(value, list) and sized(len(value)) and all(map(item, value))


def _hash(arguments: list[Any], parser: _Parser) -> Holds:
    types, sized = _split_size(arguments, parser)
    if len(types) not in {0, 2}:
        parser.fail("a Hash has a type for its keys and one for its values")
    key, item = (types[0].holds, types[1].holds) if types else (_any, _any)
    return lambda value: isinstance(value, dict) and sized(len(value)) and all(key(name) and item(held) for name, held in value.items())


def _collection(arguments: list[Any], parser: _Parser) -> Holds:
    sized = _range(arguments or [0], parser)
    return lambda value: isinstance(value, list | dict) and sized(len(value))


def _iterable(arguments: list[Any], parser: _Parser) -> Holds:
    """What Puppet iterates over: lists, a hash's pairs, a string's characters, the numbers below a natural one.

    Of a string and a number it does not look at the single items: any character, any integer has to be of the item's type.
    """
    types = [argument for argument in arguments if isinstance(argument, Type)]
    if len(arguments) > 1 or len(types) != len(arguments):
        parser.fail("one type is wanted")
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


def _tuple(arguments: list[Any], parser: _Parser) -> Holds:
    types, sized = _split_size(arguments, parser)
    if len(types) == len(arguments):
        sized = _range([len(types), len(types)] if types else [0], parser)

    def holds(value: Any) -> bool:
        if not isinstance(value, list) or not sized(len(value)):
            return False
        return all(types[min(index, len(types) - 1)].holds(item) for index, item in enumerate(value)) if types else True

    return holds


def _struct(arguments: list[Any], parser: _Parser) -> Holds:
    if not arguments:
        return lambda value: value == {}
    members = arguments[0]
    if len(arguments) != 1 or not isinstance(members, list):
        parser.fail("members in braces are wanted")
    names = {name for name, _, _ in members}

    def holds(value: Any) -> bool:
        if not isinstance(value, dict) or not names.issuperset(value):
            return False
        return all(type_.holds(value[name]) if name in value else optional for name, type_, optional in members)

    return holds


def _variant(arguments: list[Any], parser: _Parser) -> Holds:
    if not arguments or not all(isinstance(argument, Type) for argument in arguments):
        parser.fail("types are wanted")
    return lambda value: any(type_.holds(value) for type_ in arguments)


def _wrapped(arguments: list[Any], parser: _Parser) -> Holds:
    """The one argument of Optional and NotUndef: a type, or a string that is meant itself; none means anything."""
    if not arguments:
        return _any
    if len(arguments) != 1 or not isinstance(arguments[0], Type | str):
        parser.fail("one type is wanted")
    inner = arguments[0]
    return inner.holds if isinstance(inner, Type) else lambda value: isinstance(value, str) and value == inner


def _optional(arguments: list[Any], parser: _Parser) -> Holds:
    inner = _wrapped(arguments, parser)
    return lambda value: value is None or (bool(arguments) and inner(value))


def _not_undef(arguments: list[Any], parser: _Parser) -> Holds:
    inner = _wrapped(arguments, parser)
    return lambda value: value is not None and inner(value)


def _sensitive(arguments: list[Any], parser: _Parser) -> Holds:
    inner = _wrapped(arguments, parser)
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


_BUILDERS: dict[str, Callable[[list[Any], _Parser], Holds]] = {
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
