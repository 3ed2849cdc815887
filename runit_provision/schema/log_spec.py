"""The key `log` of a service."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from runit_provision.model.logging import Timestamp
from runit_provision.schema.base import Spec
from runit_provision.schema.fields import Absolute, Count, Flag, Line, Mode, ScriptText, Size, Span, Text, Variables, refuse

_TIMESTAMPS = {
    "none": Timestamp.NONE,
    "tai64n": Timestamp.TAI64N,
    "-t": Timestamp.TAI64N,
    "utc": Timestamp.COMPACT,
    "-tt": Timestamp.COMPACT,
    "iso": Timestamp.ISO,
    "-ttt": Timestamp.ISO,
}
TIMESTAMP_NAMES = ("none", "tai64n", "utc", "iso")


def _timestamp(value: Any) -> Timestamp:
    if isinstance(value, Timestamp):
        return value
    if isinstance(value, bool):
        return Timestamp.COMPACT if value else Timestamp.NONE
    if not isinstance(value, str) or value not in _TIMESTAMPS:
        raise refuse(f"has to be one of {', '.join(TIMESTAMP_NAMES)}, not {value!r}")
    return _TIMESTAMPS[value]


TimestampValue = Annotated[
    Timestamp, BeforeValidator(_timestamp), WithJsonSchema({"anyOf": [{"type": "boolean"}, {"enum": list(_TIMESTAMPS)}]})
]


class RemoteSpec(Spec):
    """Lines sent by UDP."""

    address: Line
    """An IPv4 address, `a.b.c.d` or `a.b.c.d:port`; the port is syslog's 514 otherwise."""
    only: Flag = False
    """Send them and write nothing to the log directory."""


class LogSpec(Spec):
    """Where a service's output goes."""

    type: Literal["svlogd", "rsvlog", "script", "none"] | None = None
    """`rsvlog` (shipped and pooled; the default under the shipped runtime), `svlogd` (a process of its own), `script`, or `none`."""
    run: ScriptText | None = None
    """The whole text of `log/run`, for `type: script`."""
    directory: Absolute | None = None
    """The log directory; default: the service's name below the tree's log directory."""
    user: Line | None = None
    """The account that the logger runs as; default: the tree's owner."""
    mode: Mode = 0o750
    """The log directory's mode."""
    timestamp: TimestampValue = Timestamp.COMPACT
    """What each line starts with: `none`, `tai64n`, `utc` (2026-01-31_12:00:00.00000) or `iso` (2026-01-31T12:00:00.00000)."""
    size: Size = 1_000_000_000
    """Bytes at which `current` is rotated; 0 never."""
    keep: Count = 30
    """Old files that are kept; 0 keeps all."""
    keep_min: Count = 2
    """Old files that are kept when the disk is full; less than `keep`."""
    age: Span = 86400
    """Seconds after which `current` is rotated; 0 never."""
    processor: Line | None = None
    """A shell command that each rotated file is fed through."""
    remote: RemoteSpec | None = None
    """Where lines go by UDP."""
    prefix: Text | None = None
    """What each line is prefixed with, after the timestamp."""
    filters: list[Line] = Field(default_factory=list)
    """Ordered patterns of svlogd, each with its sign: `-` drop, `+` take, `e` and `E` the same for standard error."""
    line_length: Annotated[int, Field(ge=1)] | None = None
    """Bytes of a line that patterns see; svlogd's default is 1000."""
    buffer: Annotated[int, Field(ge=1)] | None = None
    """Bytes that are read at once; more than `line_length`."""
    replace: Text | None = None
    """The character that stands for each one that is not printable."""
    replace_also: Text = ""
    """More characters that are replaced."""
    memory: Size | None = None
    """Bytes that the logger may use."""
    env: Variables = Field(default_factory=dict)
    """The logger's environment; its processor sees it."""


def _log(value: Any) -> Any:
    """`log: true` and `log: false`, and a lone type, are short for a hash."""
    if value is True:
        return {}
    if value is False:
        return {"type": "none"}
    return {"type": value} if isinstance(value, str) else value


LogValue = Annotated[LogSpec, BeforeValidator(_log)]
