"""What a lookup asked and what it was told, for `--explain`: an outline, one step a line.

Lookups always write to a trace; that of an ordinary lookup forgets. No secret enters an outline unless it was asked for.
"""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any

from runit_provision.model.data import Sensitive


class Trace:
    """A trace that forgets. `with trace.step(...)` indents what is noted inside."""

    __slots__ = ()

    def step(self, _kind: str, _subject: object = "") -> Trace:
        """Begin a part of the outline: what is asked now."""
        return self

    def note(self, _kind: str, _subject: object = "") -> None:
        """Say something about the present part."""

    def found(self, _key: object, _value: Any) -> None:
        """Say that the present part gave a value."""

    def missing(self, _key: object) -> None:
        """Say that the present part knows no such key."""

    def __enter__(self) -> Trace:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None


SILENT = Trace()


class Outline(Trace):
    """A trace that remembers; `text()` is the outline. Values are redacted while `redacted` is true."""

    __slots__ = ("_depth", "_lines", "_show_secrets", "redacted")

    def __init__(self, *, show_secrets: bool = False) -> None:
        self._lines: list[str] = []
        self._depth = 0
        self._show_secrets = show_secrets
        self.redacted = False

    def step(self, kind: str, subject: object = "") -> Trace:
        self.note(kind, subject)
        return self

    def note(self, kind: str, subject: object = "") -> None:
        self._lines.append("  " * self._depth + (f"{kind} {subject}" if str(subject) else kind))

    def found(self, key: object, value: Any) -> None:
        self.note(f"Found {key}:", self._shown(value))

    def missing(self, key: object) -> None:
        self.note("No such key:", key)

    def __enter__(self) -> Trace:
        self._depth += 1
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._depth -= 1

    def text(self) -> str:
        """Give the outline, a line for each step."""
        return "".join(line + "\n" for line in self._lines)

    def _shown(self, value: Any) -> str:
        if self._show_secrets:
            return json.dumps(reveal(value), ensure_ascii=False, default=str)
        if self.redacted:
            return "[value redacted]"
        return json.dumps(value, ensure_ascii=False, default=str)


def reveal(value: Any) -> Any:
    """Give the value with every Sensitive unwrapped."""
    match value:
        case Sensitive():
            return reveal(value.unwrap())
        case dict():
            return {key: reveal(item) for key, item in value.items()}
        case list():
            return [reveal(item) for item in value]
        case _:
            return value
