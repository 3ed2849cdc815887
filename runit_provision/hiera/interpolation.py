"""`%{...}` in values, in hash keys and in hiera.yaml.

    %{name.sub}        a variable            %{lookup('key')}   another key, as text (also `hiera`)
    %{literal('%')}    the text itself       %{alias('key')}    another key's value, if the string is nothing else

Source: Puppet's documentation, "Interpolation", and `puppet lookup` where that is silent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.hiera.explain import SILENT, Hides, Trace
from runit_provision.hiera.keys import Found, dig, split
from runit_provision.hiera.ruby.text import as_text
from runit_provision.hiera.values.kinds import is_other_number, kind
from runit_provision.hiera.values.limits import DEEPEST
from runit_provision.hiera.values.secret import SecretText, holds_secret, veiled
from runit_provision.model.data import Array, Sensitive, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runit_provision.hiera.scope import Scope

_EXPRESSION = re.compile(r"%\{([^}]*)\}")
_CALL = re.compile(r"^(\w+)\((?:\"([^\"]+)\"|'([^']+)')\)$", re.MULTILINE | re.ASCII)
_POINTER = re.compile(r"%\{ *(?:lookup|hiera|alias)\([^}]*\) *\}")
"""Text that is no secret itself, also where its value is one: it only says where that is."""
_EMPTY = frozenset({"", "::", '""', "''", '"::"', "'::'"})
_METHODS = ("lookup", "hiera", "alias", "literal", "scope")

_MOST_NAMES = 200
"""Lookups that lead to each other; Puppet's own stack ends between 100 and 200."""
_MOST_LOOKUPS = 100_000
"""For one key. Each that asks for two others in turn doubles them; text and data of that size nobody means."""
_SECRET_HINT = "where it is to hold `%{` itself, write %{literal('%')}{"
_KINDS_OF_FAULTS = {
    "undefined variable": _SECRET_HINT,
    "unknown interpolation method": _SECRET_HINT,
    "syntax error in the key": _SECRET_HINT,
    "recursive lookup": "break the circle",
    "cannot look up": "what it asks for lies in no hash or list",
}
"""How problems begin that tell what is wrong before they quote anything, each with a hint."""

Lookup = Callable[[str, "Interpolation"], Found | None]
"""Looks up a key within an interpolation; None when it is not found."""


class Interpolation:
    """Interpolates values for one lookup; it remembers the names on its way, so that a circle is found."""

    __slots__ = ("_asked", "_depth", "_lookup", "_names", "_target", "scope", "secret", "trace")

    def __init__(self, scope: Scope, lookup: Lookup | None, trace: Trace = SILENT) -> None:
        """`lookup` of None forbids the functions, as hiera.yaml does."""
        self.scope = scope
        self.trace = trace
        self._lookup = lookup
        self._names: list[str] = []
        self._asked = count()
        self.secret = False
        """Whether the value that is searched for becomes Sensitive, so that its text in the files is secret too."""
        self._depth = 0
        """How many containers the value that is resolved now lies in; those around an alias count on in what it leads to."""
        self._target: Mark | None = None
        """Where the value stands that the string resolved last is, if it is one lookup and nothing else."""

    def aside(self) -> Interpolation:
        """Give one for a search on the side, which no trace shows; it knows the names on the way too."""
        quiet = Interpolation(self.scope, self._lookup)
        quiet._names, quiet._asked = self._names, self._asked
        return quiet

    @contextmanager
    def entered(self, name: str, mark: Mark | None = None) -> Iterator[None]:
        """Within this, `name` is being resolved; raises DataError when it is already."""
        if name in self._names:
            circle = " -> ".join([*self._names, name])
            raise DataError(Problem(f"recursive lookup: {circle}", mark, hint="break the circle"))
        if len(self._names) >= _MOST_NAMES:
            raise DataError(Problem(f"more than {_MOST_NAMES} lookups lead to each other", mark, hint="shorten the chain"))
        self._names.append(name)
        try:
            yield
        finally:
            self._names.pop()

    def value(self, value: Any, mark: Mark | None = None) -> Any:
        """Give `value` with every `%{...}` replaced; containers are new and keep their marks."""
        match value:
            case str():
                return self.text(value, mark) if "%{" in value else value
            case dict() | list():
                if self._depth >= DEEPEST:
                    raise DataError(Problem(f"lookups nest data more than {DEEPEST} deep", mark, hint="make the values flatter"))
                self._depth += 1
                try:
                    return self._table(value) if isinstance(value, dict) else self._array(value, mark)
                finally:
                    self._depth -= 1
            case _:
                return value

    def placed(self, value: Any, mark: Mark | None) -> tuple[Any, Mark | None]:
        """Give what `value` gives and its place, which knows of a string that is one lookup where that led."""
        if not isinstance(value, str):
            return self.value(value, mark), mark
        if "%{" not in value:
            return value, mark
        result = self.text(value, mark)
        return result, replace(mark, target=self._target) if mark and self._target else mark

    def _array(self, array: list[Any], mark: Mark | None) -> Array:
        marks = getattr(array, "marks", [])
        places = [*marks, *[mark] * (len(array) - len(marks))]
        items = [self.placed(item, place) for item, place in zip(array, places, strict=True)]
        known = [place for _, place in items] if marks else []
        return Array((item for item, _ in items), marks=known, mark=getattr(array, "mark", None))

    def _table(self, table: dict[Any, Any]) -> Table:
        marks: dict[Any, Mark] = getattr(table, "marks", {})
        result = Table(mark=getattr(table, "mark", None))
        for key, item in table.items():
            mark = marks.get(key)
            name = self.text(key, mark) if isinstance(key, str) and "%{" in key else key
            if isinstance(name, dict | list | Sensitive):
                raise DataError(Problem(f"{kind(name)} as a key", mark, hint="a key is text, or an alias of a string or a number"))
            if is_other_number(result, name):
                raise DataError(Problem("the key stands here as another kind of number before", mark, hint="quote one of the two"))
            result[name], place = self.placed(item, mark)
            if place:
                result.marks[name] = place
        return result

    def text(self, text: str, mark: Mark | None = None) -> Any:
        """Give `text` with every `%{...}` replaced: a string, or any value when an alias is the whole of it."""
        if not isinstance(text, SecretText) and (not self.secret or _POINTER.fullmatch(text)):
            with self.trace.step("Interpolation on", text):
                return self._filled(text, mark)
        with self.trace.step("Interpolation on", text, hides=Hides.ALL), self._unsaid(mark):
            value = self._filled(text, mark)
        return veiled(value) if isinstance(text, SecretText) else value

    @contextmanager
    def _unsaid(self, mark: Mark | None) -> Iterator[None]:
        """Within this, text is resolved that is secret itself: what is wrong with it is said without its words."""
        warnings = len(self.scope.warnings)
        try:
            yield
        except DataError as error:
            what = "an expression within a secret cannot be resolved"
            message = error.problems[0].message
            for fault, hint in _KINDS_OF_FAULTS.items():
                if message.startswith(fault):
                    raise DataError(Problem(f"{what}: {fault}", mark, hint=hint)) from None
            raise DataError(Problem(what, mark, hint=_SECRET_HINT)) from None
        finally:
            if len(self.scope.warnings) > warnings:
                self.scope.warnings[warnings:] = [Problem("a secret names an undefined variable", mark, hint=_SECRET_HINT)]

    def _filled(self, text: str, mark: Mark | None) -> Any:
        parts: list[str] = []
        secret = False
        end = 0
        target: Mark | None = None
        expression: re.Match[str] | None = None
        for expression in _EXPRESSION.finditer(text):
            inside = expression[1].strip(" \t\r\n\f\v\0")
            if inside in _EMPTY:
                value: Any = ""
            else:
                method, argument = self._call(inside, mark)
                if method == "alias":
                    if expression[0] != text:
                        raise DataError(
                            Problem("%{alias(...)} must be the whole string", mark, hint="use %{lookup(...)} inside of text")
                        )
                    value, self._target = self._looked_up(argument, mark)
                    return value
                value, target = self._resolved(method, argument, mark)
            secret = secret or holds_secret(value)
            parts += [text[end : expression.start()], as_text(value)]
            end = expression.end()
        self._target = target if expression and expression[0] == text else None
        result = "".join([*parts, text[end:]])
        return SecretText(result) if secret else result

    def _call(self, inside: str, mark: Mark | None) -> tuple[str, str]:
        call = _CALL.search(inside)
        if not call:
            return "scope", inside
        if self._lookup is None:
            raise DataError(
                Problem("functions cannot be used here", mark, hint="hiera.yaml knows only variables, as %{facts.os.family}")
            )
        if call[1] not in _METHODS:
            raise DataError(Problem(f"unknown interpolation method `{call[1]}`", mark, hint=f"known are {', '.join(_METHODS)}"))
        return call[1], call[2] or call[3]

    def _resolved(self, method: str, argument: str, mark: Mark | None) -> tuple[Any, Mark | None]:
        """Give what an expression stands for, and where that is written, if it is another key's value."""
        target: Mark | None = None
        match method:
            case "literal":
                value: Any = argument
            case "scope":
                value = self.variable(argument, mark)
            case _:
                value, target = self._looked_up(argument, mark)
        with self.entered(f"scope:{argument}" if method == "scope" else argument, mark):
            return self.value(value, target or mark), target

    def _looked_up(self, key: str, mark: Mark | None) -> Found:
        assert self._lookup is not None
        if next(self._asked) >= _MOST_LOOKUPS:
            hint = "keys that ask for each other twice and more multiply; flatten them"
            raise DataError(Problem(f"more than {_MOST_LOOKUPS:,} lookups for one key", mark, hint=hint))
        try:
            found = self._lookup(key, self)
        except DataError as error:
            raise DataError(*(_placed(problem, mark) for problem in error.problems)) from None
        return Found("") if found is None else found

    def variable(self, name: str, mark: Mark | None = None) -> Any:
        """Give what the dotted `name` leads to in the scope, None when nothing is there."""
        root, *segments = split(name, mark)
        value = self.scope.get(root, mark)
        self.trace.found(f"variable {root}", value)
        if value is None or not segments:
            return value
        found = dig(Found(value, mark), segments, name, self.trace)
        return found.value if found else None


def _placed(problem: Problem, mark: Mark | None) -> Problem:
    """The problem at `mark`, unless it knows a place."""
    return problem if problem.mark else Problem(problem.message, mark, problem.key, problem.path, problem.hint)
