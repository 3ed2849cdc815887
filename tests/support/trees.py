"""Rendered trees written by hand: what a test says of a service, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runit_provision.errors import Mark
from runit_provision.model.tree import (
    Directory,
    Effect,
    Ensure,
    Entry,
    File,
    Link,
    Node,
    OnChange,
    Origin,
    Owner,
    Realm,
    RenderedTree,
    ServiceTree,
)

ORIGIN = Origin("runit.services", Mark("data.yaml", 3, 1))
SYSTEM = Realm(None, "/")


@dataclass(frozen=True)
class Unit:
    """One service. files: further files by their names below the service directory, with the effect of a change."""

    name: str
    run: bytes = b"#!/bin/sh\nexec sleep 1000\n"
    files: Mapping[str, tuple[bytes, Effect]] = field(default_factory=dict)
    ensure: Ensure = Ensure.RUNNING
    enabled: bool = True
    one_shot: bool = False
    on_change: OnChange = OnChange.RESTART
    requires: tuple[str, ...] = ()
    log: bytes | None = None
    mode: int = 0o755
    secret: bool = False
    stop_seconds: int | None = None
    kill: bool = False


def grow(base: Path | str, units: Iterable[Unit], *, realm: Realm = SYSTEM, owner: Owner | None = None) -> RenderedTree:
    """Give the tree of `units`: definitions in BASE/sv, links in BASE/service."""
    units = list(units)
    nodes = [Node(f"{base}/{name}", Directory(0o755), realm, owner, ORIGIN) for name in ("sv", "service")]
    services = []
    for unit in units:
        directory = f"{base}/sv/{unit.name}"
        name = unit.name if realm.account is None else f"{realm.account}/{unit.name}"

        def node(path: str, entry: Entry, effect: Effect = Effect.NOTHING, *, name: str = name, directory: str = directory) -> Node:
            return Node(f"{directory}{path}", entry, realm, owner, ORIGIN, name, effect)

        nodes += [node("", Directory(0o755)), node("/run", File(unit.run, unit.mode, unit.secret), Effect.RESTART)]
        if not unit.enabled:
            nodes.append(node("/down", File(b"", 0o644)))
        if unit.log is not None:
            nodes += [node("/log", Directory(0o755)), node("/log/run", File(unit.log, 0o755), Effect.LOG_RESTART)]
        made = {f"{directory}/log"} if unit.log is not None else set()
        for path, (content, effect) in unit.files.items():
            parts = path.split("/")
            for folder in ("/".join(parts[:end]) for end in range(1, len(parts))):
                if f"{directory}/{folder}" not in made:
                    made.add(f"{directory}/{folder}")
                    nodes.append(node(f"/{folder}", Directory(0o755)))
            nodes.append(node(f"/{path}", File(content, 0o644), effect))
        services.append(
            ServiceTree(
                id=name,
                realm=realm,
                directory=directory,
                link=f"{base}/service/{unit.name}",
                logged=unit.log is not None,
                log_directory=None,
                ensure=unit.ensure,
                enabled=unit.enabled,
                one_shot=unit.one_shot,
                on_change=unit.on_change,
                origin=ORIGIN,
                requires=unit.requires,
                stop_seconds=unit.stop_seconds,
                kill=unit.kill,
            )
        )
    links = [
        Node(f"{base}/service/{unit.name}", Link(f"{base}/sv/{unit.name}"), realm, owner, ORIGIN, service.id, live=True)
        for unit, service in zip(units, services, strict=True)
    ]
    return RenderedTree(tuple(nodes + links), tuple(services), ((f"{base}/service", realm),))


def join(*trees: RenderedTree) -> RenderedTree:
    """Put trees of different realms into one."""
    nodes = [node for tree in trees for node in tree.nodes]
    return RenderedTree(
        nodes=tuple([node for node in nodes if not node.live] + [node for node in nodes if node.live]),
        services=tuple(service for tree in trees for service in tree.services),
        scanned=tuple(scanned for tree in trees for scanned in tree.scanned),
    )
