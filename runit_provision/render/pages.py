"""Templates: text with places for values, where a missing value is an error that names the template, the line and the variable."""

from __future__ import annotations

import traceback
from collections.abc import Generator, Mapping
from dataclasses import replace
from functools import lru_cache
from io import StringIO
from typing import Any, cast

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template, TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.render.quoting import quote

_FAULTS = (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError, RecursionError, MemoryError)
"""What a template's mistakes end in."""
_MOST = 16 << 20
"""Characters that one template may give: loops in loops have no end that anybody waits for."""


class Pages:
    """Renders templates by name. sandbox: they are not ours, and may do nothing but give text."""

    def __init__(self, templates: Mapping[str, str], *, sandbox: bool = False) -> None:
        self._environment = (ImmutableSandboxedEnvironment if sandbox else Environment)(
            loader=FunctionLoader(lambda name: (templates[name], name, lambda: True) if name in templates else None),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            autoescape=False,
        )
        self._environment.filters["sh"] = lambda value: quote(str(value))
        self._template = lru_cache(maxsize=None)(self._environment.get_template)

    def page(self, name: str, /, **values: Any) -> bytes:
        """Give the text of the template `name` with `values` in it; DataError when it is missing, malformed or asks for more."""
        try:
            return self._text(self._template(name), values).encode()
        except _FAULTS as error:
            raise DataError(_problem(name, error)) from error

    def _text(self, template: Template, values: Mapping[str, Any]) -> str:
        if not self._environment.sandboxed:
            return template.render(values)
        text = StringIO()
        parts = cast("Generator[str, None, None]", template.generate(values))
        for part in parts:
            text.write(part)
            if text.tell() > _MOST:  # told where it stands, so that its line is known
                parts.throw(ValueError(f"it gives more than {_MOST >> 20} MB of text"))
        return text.getvalue()


class PatientPages(Pages):
    """Renders all that it is asked for, and tells in the end what was wrong: each once, at the `key` that it was first met for."""

    def __init__(self, templates: Mapping[str, str]) -> None:
        super().__init__(templates)
        self._found: dict[tuple[Mark | None, str], Problem] = {}

    def page(self, name: str, /, **values: Any) -> bytes:
        """Give the text of the template `name`, or nothing when something is wrong with it."""
        try:
            return super().page(name, **values)
        except DataError as error:
            for problem in error.problems:
                self._found.setdefault((problem.mark, problem.message), replace(problem, key=values["key"]))
            return b""

    def raise_any(self) -> None:
        """Raise DataError with every problem, if there is one."""
        if self._found:
            raise DataError(*self._found.values())


_IN_TEMPLATE = ("top-level template code", "template")


def _problem(name: str, error: Exception) -> Problem:
    """Say where in which template, and what."""
    if isinstance(error, TemplateSyntaxError):
        return Problem(f"the template cannot be read: {error.message}", mark=Mark(error.name or name, error.lineno, 1))
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.name in _IN_TEMPLATE]
    mark = Mark(frames[-1].filename, frames[-1].lineno or 1, 1) if frames else Mark(name, 1, 1)
    if isinstance(error, TemplateNotFound):
        return Problem(f"there is no template {error.name!r}", mark=mark if frames else None)
    said = "it needs more memory than one may have" if isinstance(error, MemoryError) else error
    return Problem(f"the template does not render: {said}", mark=mark)
