"""The variables that `%{...}` can name: facts, each also by its own name, trusted facts and the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runit_provision.errors import DataError, Mark, Problem, nearest

_OF_MAIN = {"name": "main", "title": "main", "module_name": ""}
"""Variables of the class `main`, within which Puppet looks up."""
_RESERVED = frozenset({"facts", "server_facts", *_OF_MAIN})
_MATCH_VARIABLE = re.compile(r"0|[1-9]\d*", re.ASCII)
"""What a regular expression matched, in Puppet code."""
_LEADING = re.compile(r"(?:::)*")


class Scope:
    """The top scope of one node's catalog.

    strict: an undefined variable is an error, as in Puppet 8; else it is empty, as in Puppet 7, and `warnings` tells.
    Raises DataError for facts whose names are those of Puppet's own variables.
    """

    def __init__(
        self, facts: Mapping[str, Any], *, node: str, environment: str, trusted: Mapping[str, Any] | None = None, strict: bool = True
    ) -> None:
        _check_names(facts)
        known = {str(name): _sanitized(value) for name, value in facts.items()}
        self._variables: dict[str, Any] = {
            **known,
            **_OF_MAIN,
            "facts": known,
            "server_facts": {},
            "trusted": {**_trusted(node), **(trusted or {})},
            "environment": environment,
        }
        self._local: dict[str, Any] = {}
        self.strict = strict
        self.warnings: list[Problem] = []

    def with_variable(self, name: str, value: Any) -> Scope:
        """Give the scope in which `name`, but not `::name`, has `value`, as mapped_paths needs it for each of its paths."""
        return self._like({**self._local, name: value}, strict=self.strict)

    def forgiving(self) -> Scope:
        """Give the scope for a level's locations: an undefined variable there is a warning also in Puppet 8's strict mode."""
        return self._like(self._local, strict=False)

    def _like(self, local: dict[str, Any], *, strict: bool) -> Scope:
        scope = Scope.__new__(Scope)
        scope._variables = self._variables
        scope._local = local
        scope.strict = strict
        scope.warnings = self.warnings
        return scope

    def get(self, name: str | int, mark: Mark | None = None) -> Any:
        """Give the value of a variable, None when it is undefined and that is allowed; raises DataError otherwise."""
        if isinstance(name, int):
            raise DataError(Problem(f"`{name}` is not the name of a variable", mark))
        if name in self._local:
            return self._local[name]
        bare = _LEADING.sub("", name, count=1)
        if bare in self._variables:
            return self._variables[bare]
        if bare == "caller_module_name" or _MATCH_VARIABLE.fullmatch(bare):
            return None
        if "(" in bare:
            hint = "a function takes one key in quotes, as %{lookup('key')}"
        else:
            lenient = ", or be lenient as Puppet 7 is (--lenient)" if self.strict else ""
            hint = nearest(bare, self._variables, f"give it as a fact{lenient}")
        problem = Problem(f"undefined variable `{name}`", mark, hint=hint)
        if self.strict:
            raise DataError(problem)
        self.warnings.append(problem)
        return None


def _check_names(facts: Mapping[str, Any]) -> None:
    places = getattr(facts, "marks", {})
    problems = [
        Problem("a fact cannot be called so: it is a variable of Puppet's own", places.get(name), key=str(name), hint="leave it out")
        for name in facts
        if name in _RESERVED or _MATCH_VARIABLE.fullmatch(str(name))
    ]
    if problems:
        raise DataError(*problems)


def _sanitized(value: Any) -> Any:
    """Facts hold strings, numbers, booleans, lists and hashes; Puppet turns anything else into text, and null into the empty one."""
    match value:
        case None:
            return ""
        case Mapping():
            return {_sanitized(key): _sanitized(item) for key, item in value.items()}
        case list() | tuple():
            return [_sanitized(item) for item in value]
        case bool() | int() | float() | str():
            return value
        case _:
            return str(value)


def _trusted(node: str) -> dict[str, Any]:
    hostname, _, domain = node.partition(".")
    return {
        "authenticated": "local",
        "certname": node,
        "domain": domain or None,
        "extensions": {},
        "external": {},
        "hostname": hostname,
    }
