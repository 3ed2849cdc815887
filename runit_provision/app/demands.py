"""What the data ask of a host beside paths and services: the runtime, the tools that scripts call, limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from runit_provision.app.target import Target
from runit_provision.host.rooted import on_root
from runit_provision.model.answer import Ceiling, Demands
from runit_provision.model.host import Host, RuntimeKind

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CALLED = ("runsvdir", "runsv", "sv", "svlogd", "chpst")
"""The tools that rendered scripts call, or that must be there for them to be called."""


def demands(host: Host, target: Target) -> Demands:
    """Give what `host` asks; the runtime is laid for a whole host, and where the data name it."""
    limits = tuple(ceilings(host))
    runtime = host.runtime
    if runtime.kind is RuntimeKind.SHIPPED and runtime.said and target.user is None:
        return Demands(prefix=runtime.prefix, ceilings=limits)
    if runtime.kind is RuntimeKind.NONE or next(host.services(), None) is None:
        return Demands(ceilings=limits)
    if runtime.kind is RuntimeKind.SHIPPED:
        hint = f"`runit-provision runtime install {on_root(target.root)}--prefix {runtime.prefix}`"
        return Demands(tools=(*_CALLED, "rsvlog"), folders=f"{runtime.prefix}/bin", hint=hint, ceilings=limits)
    return Demands(tools=_CALLED, folders=_SYSTEM_PATH, hint="install the distribution's runit", ceilings=limits)


def ceilings(host: Host) -> Iterator[Ceiling]:
    """Give every limit that the data set."""
    for service in host.services():
        for field in fields(service.process.limits):
            value = getattr(service.process.limits, field.name)
            if value is not None:
                yield Ceiling(service.id, field.name, value, service.origin_of(f"limits.{field.name}"))
