"""The key `log` of a service."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from runit_provision.model.logging import Timestamp
from runit_provision.schema.base import Spec
from runit_provision.schema.fields import Absolute, Count, Flag, Line, Mode, Size, Span, Text, Variables, refuse, shown
from runit_provision.schema.file_spec import ScriptValue
from runit_provision.schema.json_kinds import Forms, Kind

_TIMESTAMPS = {
    "none": Timestamp.NONE,
    "tai64n": Timestamp.TAI64N,
    "-t": Timestamp.TAI64N,
    "utc": Timestamp.COMPACT,
    "-tt": Timestamp.COMPACT,
    "iso": Timestamp.ISO,
    "-ttt": Timestamp.ISO,
}
TYPES = ("svlogd", "rsvlog", "script", "none")
TIMESTAMP_NAMES = ("none", "tai64n", "utc", "iso")


def _timestamp(value: Any) -> Timestamp:
    if isinstance(value, Timestamp):
        return value
    if isinstance(value, bool):
        return Timestamp.COMPACT if value else Timestamp.NONE
    if not isinstance(value, str) or value not in _TIMESTAMPS:
        raise refuse(f"has to be one of {', '.join(TIMESTAMP_NAMES)}, not {shown(value)}")
    return _TIMESTAMPS[value]


TimestampValue = Annotated[
    Timestamp,
    BeforeValidator(_timestamp),
    Kind("Timestamp", "What each line of a log starts with.", anyOf=[{"type": "boolean"}, {"enum": list(_TIMESTAMPS)}]),
]


Filter = Annotated[Line, Kind("Filter", "A pattern of svlogd, with its sign.", type="string", pattern=r"^[-+eE][^\x00-\x1f\x7f]+$")]


class RemoteSpec(Spec):
    """Lines sent by UDP."""

    address: Line
    """An IPv4 address, `a.b.c.d` or `a.b.c.d:port`; the port is syslog's 514 otherwise. Example: 192.168.6.20:514"""
    only: Flag = False
    """Send them and write nothing to the log directory. Example: true"""


class LogSpec(Spec):
    """Where a service's output goes."""

    type: Literal["svlogd", "rsvlog", "script", "none"] | None = None
    """`rsvlog` (shipped and pooled; the default under the shipped runtime, unless another key asks for more), `svlogd` (a process
    of its own), `script`, or `none`.
    Example: svlogd"""
    run: ScriptValue | None = None
    """The whole of `log/run`, for `type: script`. Example: "#!/bin/sh\\nexec logger -t worker\\n" """
    directory: Absolute | None = None
    """The log directory; default: the service's name below the tree's log directory. Example: /srv/logs/worker"""
    user: Line | None = None
    """The account that the logger runs as; default: the tree's owner. Example: logger"""
    mode: Mode = Field(default=0o750, json_schema_extra={"default": "0750"})
    """The log directory's mode. Example: "0755" """
    timestamp: TimestampValue = Field(default=Timestamp.COMPACT, json_schema_extra={"default": "utc"})
    """What each line starts with: `none`, `tai64n`, `utc` (2026-01-31_12:00:00.00000) or `iso` (2026-01-31T12:00:00.00000).
    Example: tai64n"""
    size: Size = 1_000_000_000
    """Bytes at which `current` is rotated; 0 never. Example: 10m"""
    keep: Count = 30
    """Old files that are kept; 0 keeps all. Example: 10"""
    keep_min: Count = 2
    """Old files that are kept when the disk is full; less than `keep`. Example: 2"""
    age: Span = 86400
    """Seconds after which `current` is rotated; 0 never. Example: 1d"""
    processor: Line | None = None
    """A shell command that each rotated file is fed through. Example: gzip"""
    remote: RemoteSpec | None = None
    """Where lines go by UDP. Example: {address: 192.168.6.20}"""
    prefix: Text | None = None
    """What each line is prefixed with, after the timestamp. Example: "worker: " """
    filters: list[Filter] = Field(default_factory=list)
    """Ordered patterns of svlogd, each with its sign: `-` drops and `+` takes a line; `e` has it on standard error too, `E` has it not.
    Example: ["-debug: *", "+debug: warning*"]"""
    line_length: Annotated[int, Field(ge=1)] | None = None
    """Bytes of a line that patterns see; svlogd's default is 1000. Example: 2000"""
    buffer: Annotated[int, Field(ge=1)] | None = None
    """Bytes that are read at once; more than `line_length`. Example: 8192"""
    replace: Text | None = None
    """The character that stands for each one that is not printable. Example: "?" """
    replace_also: Text = ""
    """More characters that are replaced. Example: "%" """
    memory: Size | None = None
    """Bytes that the logger may use. Example: 20m"""
    env: Variables = Field(default_factory=dict)
    """The environment of the logger, a process of its own then; its processor sees it. Example: {TZ: UTC}"""


def _log(value: Any) -> Any:
    """`log: true` and `log: false`, and a lone type, are short for a hash."""
    if value is True:
        return {}
    if value is False:
        return {"type": "none"}
    return {"type": value} if isinstance(value, str) else value


LogValue = Annotated[
    LogSpec,
    BeforeValidator(_log),
    Forms("Log", "The log of a service: a hash, `false` for none, or only its type.", {"type": "boolean"}, {"enum": list(TYPES)}),
]
