"""What a lookup asked and what it was told, for `--explain`: an outline, one step a line.

Lookups always write to a trace; that of an ordinary lookup forgets. No secret enters an outline unless it was asked for.
"""

from __future__ import annotations

from enum import IntEnum
from types import TracebackType
from typing import TYPE_CHECKING, Any

from runit_provision.errors import Mark
from runit_provision.hiera.origins import origins
from runit_provision.hiera.values.secret import REDACTED, holds_secret, revealed, sealed, veiled

if TYPE_CHECKING:
    from runit_provision.hiera.deep_merge import Knockout


class Hides(IntEnum):
    """What a part of an outline does not show: nothing is hidden, the values, or all that happens in it."""

    NOTHING = 0
    VALUES = 1
    ALL = 2


class Trace:
    """A trace that forgets. `with trace.step(...)` indents what is noted inside."""

    __slots__ = ()

    def step(self, _kind: str, _subject: object = "", *, hides: Hides = Hides.NOTHING) -> Trace:  # noqa: ARG002
        """Begin a part of the outline, to be ended by `with`: what is asked now. A part that hides all hides its subject too."""
        return self

    def note(self, _kind: str, *_subjects: object) -> None:
        """Say something about the present part."""

    def found(self, _what: object, _value: Any, _mark: Mark | None = None) -> None:
        """Say that the present part gave a value, which stands at `_mark`."""

    def converted(self, _to: object, _value: Any, _mark: Mark | None) -> None:
        """Say what a conversion made of the value; `_mark` is where it is demanded."""

    def merged(self, _count: int, _value: Any) -> None:
        """Say what became of several values."""

    def knocked_out(self, _knockout: Knockout) -> None:
        """Say what a knockout took out of a lower value."""

    def missing(self, _key: object) -> None:
        """Say that the present part knows no such key."""

    def __enter__(self) -> Trace:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None


SILENT = Trace()


class Outline(Trace):
    """A trace that remembers; `text()` is the outline."""

    __slots__ = ("_lines", "_parts", "_show_secrets")

    def __init__(self, *, show_secrets: bool = False) -> None:
        self._lines: list[str] = []
        self._parts: list[Hides] = []
        """What each part that is open hides."""
        self._show_secrets = show_secrets

    def step(self, kind: str, subject: object = "", *, hides: Hides = Hides.NOTHING) -> Trace:
        if self._show_secrets:
            hides, subject = Hides.NOTHING, revealed(subject)
        self.note(kind, REDACTED if hides is Hides.ALL else subject)
        self._parts.append(hides)
        return self

    def note(self, kind: str, *subjects: object) -> None:
        if Hides.ALL in self._parts:
            return
        words = filter(None, map(str, subjects))
        self._lines.append("  " * len(self._parts) + " ".join([kind, *words]))

    def found(self, what: object, value: Any, mark: Mark | None = None) -> None:
        self.note(f"Found {what}{_at(mark)}:", self.shown(value))

    def converted(self, to: object, value: Any, mark: Mark | None) -> None:
        self.note(f"Converted to {to}{_at(mark)}:", self.shown(value))

    def merged(self, count: int, value: Any) -> None:
        with self.step(f"Merged from {count} values:", self.shown(value)):
            if not any(self._parts):
                for item, mark in origins(revealed(value) if self._show_secrets else sealed(value)):
                    self.note(item, f"from {mark}")

    def knocked_out(self, knockout: Knockout) -> None:
        secret = holds_secret(knockout.by) or any(holds_secret(item) for item, _ in knockout.taken)
        by, *taken = (
            f"{self.shown(veiled(item) if secret else item)}{_at(mark)}"
            for item, mark in [(knockout.by, knockout.mark), *knockout.taken]
        )
        self.note(f"Knocked out by {by}:", ", ".join(taken) or "nothing, since it is not there")

    def missing(self, key: object) -> None:
        self.note("No such key:", key)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._parts.pop()

    def text(self) -> str:
        """Give the outline, a line for each step."""
        return "".join(line + "\n" for line in self._lines)

    def shown(self, value: Any) -> str:
        """Give `value` as JSON, or without what is secret."""
        import json

        if any(self._parts):
            return REDACTED
        return json.dumps(revealed(value) if self._show_secrets else sealed(value), ensure_ascii=False, default=str)


def _at(mark: Mark | None) -> str:
    return f" ({mark})" if mark else ""
