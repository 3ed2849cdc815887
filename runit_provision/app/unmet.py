"""What the data ask of a host beside paths and services, and is not so."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from runit_provision.errors import Problem
from runit_provision.host import ceilings
from runit_provision.host.rooted import here, resolve
from runit_provision.model.answer import Ceiling, Demands
from runit_provision.model.observed import Life
from runit_provision.model.process import SYSTEM_PATH

_HINT = "raise the limit that the supervisor is started with (for a systemd unit LimitNOFILE= and its like), and start it anew"


def to_lay(demands: Demands, root: Path) -> str | None:
    """Give the prefix under which the shipped runtime is to be laid, or None when nothing is to be done."""
    if demands.prefix is None:
        return None
    from runit_provision.host import shipped

    return None if shipped.is_installed(prefix=Path(demands.prefix), root=root) else demands.prefix


def missing_programs(demands: Demands, root: Path) -> Iterator[Problem]:
    """Say which programs the scripts would not find."""
    missing = [name for name in demands.tools if not _found(name, demands.folders, root)]
    if missing:
        message = f"{', '.join(missing)} not found, which the services' scripts call"
        yield Problem(message, path=":".join(here(root, folder) for folder in demands.folders.split(":")), hint=demands.hint)
    for program, origin in demands.called:
        if not _found(program, SYSTEM_PATH, root):
            yield Problem(f"{program} not found, which the script calls", mark=origin.mark, key=origin.key, hint="install it")


def _found(program: str, folders: str, root: Path) -> bool:
    places = [program] if program.startswith("/") else [f"{folder}/{program}" for folder in folders.split(":")]
    found = (root / path.lstrip("/") for place in places if (path := resolve(root, place)))
    return any(path.is_file() and os.access(path, os.X_OK) for path in found)


def too_high(asked: tuple[Ceiling, ...], hard: Mapping[str, int]) -> Iterator[Problem]:
    """Say which limits are above the `hard` ones: chpst lowers them to those without a word."""
    for _, name, value, origin in asked:
        if value > hard.get(name, value):
            message = f"{value} is above the hard limit of {hard[name]}, which the service would get instead"
            yield Problem(message, mark=origin.mark, key=origin.key, hint=_HINT)


def assumed(asked: tuple[Ceiling, ...]) -> Iterator[Problem]:
    """Say which limits the host that an image is for has to allow more than usual for: nothing else is known of it."""
    for _, name, value, origin in asked:
        if value > ceilings.USUAL.get(name, value):
            message = f"{value} is more than the {ceilings.USUAL[name]} that Linux gives at most: it is assumed that the image has more"
            yield Problem(message, mark=origin.mark, key=origin.key, hint="set fs.nr_open in the image's sysctl.conf")


def hard_limits(lives: Mapping[str, tuple[Life, Life]], *, alone: bool) -> Mapping[str, int]:
    """Give the hard limits of the supervisor, which all services of all trees inherit; where nothing runs yet, what the kernel allows.

    A service that runs tells them: they are those of its parent, since a daemon may lower its own. Only the host's services are asked,
    unless a user's tree stands `alone`: what a user's directories say of a process has to count for nobody else.
    """
    found = ceilings.of_kernel()
    pids = (life.pid for service, both in lives.items() if alone or "/" not in service for life in both if life.pid)
    if pid := next(pids, 0):
        found |= {name: min(value, found.get(name, value)) for name, value in ceilings.of_parent(pid).items()}
    return found
