"""Dotted keys: `a.b.0` digs into a hash and then a list, `"'a.b'.c"` keeps the dot of what stands in quotes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.hiera.explain import SILENT, Trace
from runit_provision.hiera.values.digits import TooLongError, integer
from runit_provision.hiera.values.kinds import is_other_number, kind
from runit_provision.hiera.values.secret import Veiled, veiled

Segment = str | int
LOOKUP_OPTIONS = "lookup_options"

_SPECIAL = re.compile(r"['\".]")
_SEGMENT = r"\s*\"[^\"]+\"\s*|\s*'[^']+'\s*|[^'\".]+"
_SEGMENTS = re.compile(rf"(?:{_SEGMENT})(?:\.(?:{_SEGMENT}))*")
_NUMBER = re.compile(r":?([+-]?[0-9]+)")


class Found(NamedTuple):
    """What a lookup found: the value, and where it was written when a file gave it."""

    value: Any
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it was asked for: `root` is what data files hold, `segments` lead into its value; `module` stands before `::`."""

    text: str
    root: Segment
    segments: tuple[Segment, ...]

    @property
    def module(self) -> str | None:
        """The name before the first `::`, or None."""
        name, colons, _ = str(self.root).partition("::")
        return name if colons and name else None


def parse_key(text: str, mark: Mark | None = None) -> Key:
    """Give the parts of the key `text`. Raises DataError when quotes or dots do not fit together."""
    root, *segments = split(text, mark)
    return Key(text, root, tuple(segments))


def split(text: str, mark: Mark | None = None) -> list[Segment]:
    """Give the segments of `text`; digits make an index. Raises DataError when quotes or dots do not fit together."""
    if not _SPECIAL.search(text):
        return [text]
    if not _SEGMENTS.fullmatch(text):
        raise DataError(
            Problem(f"syntax error in the key `{text}`", mark, hint="segments are joined by single dots; quote one that holds a dot")
        )
    try:
        return [_segment(part.strip()) for part in re.findall(_SEGMENT, text)]
    except TooLongError as error:
        raise DataError(Problem(f"{error} in a key", mark, hint="quote the segment to have a string")) from None


def _segment(part: str) -> Segment:
    if part[:1] in {"'", '"'}:
        return part[1:-1]
    if number := _NUMBER.fullmatch(part):
        return 0 if part.startswith(":") else integer(number[1])
    return part


def dig(found: Found, segments: Sequence[Segment], key: str, trace: Trace = SILENT) -> Found | None:
    """Follow `segments` into a found value; None when a subkey is not there.

    Raises DataError when a value on the way is neither a hash nor a list that fits the segment.
    """
    value, mark = found
    for segment in segments:
        secret = isinstance(value, Veiled)
        if secret:
            value = value.unwrap()
        if value is None or (isinstance(value, list) and isinstance(segment, int) and not 0 <= segment < len(value)):
            trace.missing(segment)
            return None
        if isinstance(value, list) and isinstance(segment, int):
            marks = getattr(value, "marks", ())
            mark = (marks[segment] if segment < len(marks) else None) or mark
        elif isinstance(value, dict):
            if segment not in value or is_other_number(value, segment):
                trace.missing(segment)
                return None
            mark = getattr(value, "marks", {}).get(segment, mark)
        else:
            hint = "a list is reached by an index" if isinstance(value, list) else "only hashes and lists have subkeys"
            raise DataError(Problem(f"cannot look up `{segment}` in {kind(value)}", mark, key=key, hint=hint))
        value = veiled(value[segment]) if secret else value[segment]
        trace.found(segment, value, mark)
    return Found(value, mark)
