"""When a service is of use, what it waits for, and whom it tells: all that has to do with other services."""

from __future__ import annotations

import re

from runit_provision.model.health import Check, Command, Exists, Http, Peer, Probe, Probes, Settled, Tcp, Unix
from runit_provision.model.health import Services as Running
from runit_provision.model.service import Requirements, Service
from runit_provision.schema.contents import Contents
from runit_provision.schema.health_spec import ProbeSpec
from runit_provision.schema.place import Place
from runit_provision.schema.problems import Path
from runit_provision.schema.registry import Registry
from runit_provision.schema.service_spec import ServiceSpec

CHECK_TIMEOUT = 5
"""Seconds that one probe may take."""


class Health:
    """Reads those keys of one service, which stands at `path`; every service has to be entered in `registry` before."""

    def __init__(self, spec: ServiceSpec, place: Place, registry: Registry, path: Path) -> None:
        self._spec = spec
        self._place = place
        self._path = path
        peers = tuple(registry.peers(spec.requires, place, (*path, "requires")))
        self.requirements = Requirements(peers, spec.requires_timeout) if peers else None
        self.notices = tuple(registry.notices(dict(spec.notifies), place, (*path, "notifies")))
        probes = spec.check.all if spec.check else []
        self._peers = [
            tuple(registry.peers(probe.services or [], place, (*path, "check", "all", index, "services")))
            for index, probe in enumerate(probes)
        ]

    def check(self, contents: Contents, children: list[Service]) -> Check | None:
        """Give the check; children: the services of a nested tree, which make it up when the data say nothing."""
        spec = self._spec.check
        waited = self.requirements is not None and self._spec.ready is None  # who waits says later that it is ready
        if spec is None:
            inner = tuple(f"./service/{child.link.rpartition('/')[2]}" for child in children)
            settled = (Settled(inner),) if inner else ()
            return Probes(settled, CHECK_TIMEOUT, waited=waited) if settled or waited else None
        if spec.run:
            if spec.all:
                self._problem("`run` is the whole script: `all` has no effect beside it", "all")
            return contents.script(spec.run, (*self._path, "check", "run"))
        if "all" in spec.model_fields_set and not spec.all:
            self._problem("asks for nothing")
        probes = (self._probe(probe, index, peers) for index, (probe, peers) in enumerate(zip(spec.all, self._peers, strict=True)))
        found = tuple(probe for probe in probes if probe)
        return Probes(found, spec.timeout, waited=waited) if found or waited else None

    def _problem(self, message: str, *at: str | int) -> None:
        self._place.problems.add((*self._path, "check", *at), message)

    def _probe(self, spec: ProbeSpec, index: int, peers: tuple[Peer, ...]) -> Probe | None:
        if len(spec.model_fields_set) != 1:
            self._problem("has to hold exactly one key", "all", index)
            return None
        if spec.tcp is not None:
            host, _, port = spec.tcp.rpartition(":")
            if not port.isdigit() or not 0 < int(port) < 65536 or re.search(r"\s", host):
                self._problem(f"{spec.tcp!r} is not `port` or `host:port`", "all", index, "tcp")
                return None
            return Tcp(host.strip("[]") or "127.0.0.1", int(port))
        if spec.http is not None:
            return Http(spec.http)
        if spec.unix is not None:
            return Unix(spec.unix)
        if spec.file is not None:
            return Exists(spec.file)
        return Command(tuple(spec.command)) if spec.command is not None else Running(peers)
