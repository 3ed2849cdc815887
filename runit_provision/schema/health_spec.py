"""The keys of a service's check."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from runit_provision.schema.base import Spec
from runit_provision.schema.fields import Absolute, Line, Lines, Span, Url, Words, refuse
from runit_provision.schema.file_spec import ScriptValue
from runit_provision.schema.json_kinds import SCRIPT, Forms, reference


class ProbeSpec(Spec, json_schema_extra={"minProperties": 1, "maxProperties": 1}):
    """One thing that has to be so; exactly one key."""

    tcp: Line | None = None
    """`port`, or `host:port`, on which something listens. Example: localhost:5432"""
    http: Url | None = None
    """A URL that answers with a status below 400. Example: http://localhost:8080/health"""
    unix: Absolute | None = None
    """A stream socket on which something listens. Example: /run/worker.sock"""
    file: Line | None = None
    """A file that exists. Example: /run/worker.ready"""
    command: Words | None = None
    """A program that exits 0. Example: [pg_isready, -q, -p, "5432"]"""
    services: Lines | None = None
    """Services that run and pass their own check; named as in `requires`. Example: [db, cache]"""


class CheckSpec(Spec):
    """When the service is of use."""

    run: ScriptValue | None = None
    """The whole of `check`; it exits 0 when the service is of use. Example: "#!/bin/sh\\nexec pg_isready -q\\n" """
    all: list[ProbeSpec] = Field(default_factory=list)
    """What has to be so. Example: [{tcp: 8080}, {file: /run/worker.ready}]"""
    timeout: Annotated[Span, Field(ge=1)] = 5
    """Seconds that each probe may take. Example: 5"""


def _check(value: Any) -> Any:
    """A lone text is the whole script; a list, or one probe, is all that has to be so."""
    if isinstance(value, list):
        return {"all": value}
    if isinstance(value, dict):
        if not value.keys() & CheckSpec.model_fields.keys():
            return {"all": [value]}
        probe = next((key for key in ProbeSpec.model_fields if value.get(key) is not None), None)
        if probe:
            others = ", ".join(f"`{key}`" for key in value if key != probe)
            raise refuse(f"`{probe}` stands beside {others}", hint=f"write `all: [{{{probe}: ...}}]`")
    return {"run": value} if isinstance(value, str) else value


_PROBE = reference(ProbeSpec.__name__)
CheckValue = Annotated[
    CheckSpec,
    BeforeValidator(_check),
    Forms(
        "Check",
        "When a service is of use: a whole script, or what has to be so.",
        SCRIPT.reference,
        _PROBE,
        {"type": "array", "items": _PROBE},
    ),
]
