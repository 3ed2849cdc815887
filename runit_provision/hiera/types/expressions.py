"""Puppet's type expressions, as `Array[Integer[1, 10]]`, parsed.

Source: Puppet's documentation, "Data types".
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.hiera.ruby.patterns import RubyPattern
from runit_provision.hiera.types.membership import BUILDERS
from runit_provision.hiera.types.type import DEFAULT, Member, Type
from runit_provision.hiera.values.digits import TooLongError, integer

_SPACE = r"(?:\s|\#[^\n]*|/\*.*?\*/)*"
_NUMBER = r"-?\s*(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)"
_BLANKS = re.compile(_SPACE, re.ASCII | re.DOTALL)
_TOKEN = re.compile(
    rf"""{_SPACE}(?:(?P<name>(?:::)?[A-Z]\w*(?:::[A-Z]\w*)*)|(?P<number>{_NUMBER})|(?P<word>[a-z_]\w*)
    |'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)"|/(?P<regex>(?:[^/\\]|\\.)*)/|(?P<sign>=>|[\[\]{{}},]))""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_NAMES = {name.lower(): name for name in BUILDERS}
"""However a type's name is written, it is the same."""
_NO_DATA = {
    *("Binary", "Callable", "CatalogEntry", "Class", "Default", "Deferred", "Error", "Iterator", "Object", "Regexp", "Resource"),
    *("Runtime", "SemVer", "SemVerRange", "Timespan", "Timestamp", "Type", "TypeAlias", "TypeReference", "TypeSet", "URI"),
}
"""Puppet's other types, of which no plain data is."""


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
        written = (token["name"] or token[0].strip()).removeprefix("::")
        name = _NAMES.get(written.lower()) if token["name"] else None
        if name is None:
            no_data = written in _NO_DATA
            self.fail(f"no plain data is a {written}" if no_data else f"unknown type `{written}`")
        arguments = self._arguments() if self._took_directly("[") else []
        holds = BUILDERS[name](arguments, self.fail)
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
                return {"default": DEFAULT, "true": True, "false": False, "undef": None}.get(token["word"], token["word"])
            case "single" | "double":
                return re.sub(r"\\(.)", r"\1", token[token.lastgroup])
            case "regex":
                return RubyPattern(token["regex"].replace("\\/", "/"), self._mark)
        if token["sign"] != "{":
            self.fail(f"unexpected `{token[0].strip()}`")
        return self._members()

    def _number(self, text: str) -> float:
        sign, digits = text[: text.startswith("-")], text.removeprefix("-").lstrip().lower()
        try:
            if digits.startswith("0x"):
                return integer(sign + digits[2:], 16)
            if re.search(r"[.e]", digits):
                return float(sign + digits)
            return integer(sign + digits, 8 if digits.startswith("0") else 10)
        except TooLongError as error:
            self.fail(str(error))
        except ValueError:
            self.fail(f"`{text}` is not an octal number")

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
