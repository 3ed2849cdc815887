"""Limits of the data that a service cannot get: chpst lowers them to the hard ones without a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

from runit_provision.errors import Problem
from runit_provision.host import ceilings
from runit_provision.model.host import Host
from runit_provision.model.observed import Life
from runit_provision.model.service import Service

_HINT = "raise the limit that the supervisor is started with (for a systemd unit LimitNOFILE= and its like)"


def too_high(host: Host, lives: Mapping[str, tuple[Life, Life]]) -> Iterator[Problem]:
    """Say which limits are above the hard ones.

    A service that runs tells its hard limits, which are its supervisor's; of one that does not, only what the kernel allows at most
    is known. A host that is to be rebooted with other limits is no error: so these are warnings.
    """
    for service in host.services():
        asked = {field.name: getattr(service.process.limits, field.name) for field in fields(service.process.limits)}
        if all(value is None for value in asked.values()):
            continue
        life = lives[service.id][0] if service.id in lives else Life()
        yield from _above(service, asked, (ceilings.of_process(life.pid) if life.pid else {}) or ceilings.of_kernel())


def _above(service: Service, asked: Mapping[str, int | None], hard: Mapping[str, int]) -> Iterator[Problem]:
    for name, value in asked.items():
        if value is not None and name in hard and value > hard[name]:
            origin = service.origin_of(f"limits.{name}")
            message = f"{value} is above the hard limit of {hard[name]}, which the service would get instead"
            yield Problem(message, mark=origin.mark, key=origin.key, hint=_HINT)
