"""What the data ask of a host beside paths and services: the runtime, the tools that scripts call, limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

from runit_provision.app.target import Target
from runit_provision.host.rooted import on_root
from runit_provision.model.answer import Ceiling, Demands
from runit_provision.model.host import Host, RuntimeKind
from runit_provision.model.process import SYSTEM_PATH
from runit_provision.render.programs import called

_TOOLS = ("runsvdir", "runsv", "sv", "svlogd", "chpst")
"""The tools that rendered scripts call, or that must be there for them to be called."""


def demands(host: Host, target: Target) -> Demands:
    """Give what `host` asks; the runtime is laid for a whole host, and where the data name it."""
    return replace(_runtime(host, target), ceilings=tuple(ceilings(host)), called=tuple(called(host)))


def _runtime(host: Host, target: Target) -> Demands:
    runtime = host.runtime
    if runtime.kind is RuntimeKind.SHIPPED and runtime.said and target.user is None:
        return Demands(prefix=runtime.prefix)
    if runtime.kind is RuntimeKind.NONE or next(host.services(), None) is None:
        return Demands()
    if runtime.kind is RuntimeKind.SHIPPED:
        hint = f"`runit-provision runtime install {on_root(target.root)}--prefix {runtime.prefix}`"
        return Demands(tools=(*_TOOLS, "rsvlog"), folders=f"{runtime.prefix}/bin", hint=hint)
    return Demands(tools=_TOOLS, folders=SYSTEM_PATH, hint="install the distribution's runit")


def ceilings(host: Host) -> Iterator[Ceiling]:
    """Give every limit that the data set."""
    for service in host.services():
        for field in fields(service.process.limits):
            value = getattr(service.process.limits, field.name)
            if value is not None:
                yield Ceiling(service.id, field.name, value, service.origin_of(f"limits.{field.name}"))
