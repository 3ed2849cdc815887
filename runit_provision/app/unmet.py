"""What the data ask of a host beside paths and services, and is not so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from runit_provision.errors import Problem
from runit_provision.host import ceilings
from runit_provision.host.rooted import folder_on_host
from runit_provision.model.answer import Ceiling, Demands
from runit_provision.model.observed import Life

_HINT = "raise the limit that the supervisor is started with (for a systemd unit LimitNOFILE= and its like)"


def to_lay(demands: Demands, root: Path) -> str | None:
    """Give the prefix under which the shipped runtime is to be laid, or None when nothing is to be done."""
    if demands.prefix is None:
        return None
    from runit_provision.host import package

    return None if package.is_installed(prefix=Path(demands.prefix), root=root) else demands.prefix


def missing_tools(demands: Demands, root: Path) -> Iterator[Problem]:
    """Say which tools the scripts would not find."""
    if not demands.tools:
        return
    import shutil

    path = ":".join(str(folder_on_host(root, folder)) for folder in demands.folders.split(":"))
    missing = [name for name in demands.tools if not shutil.which(name, path=path)]
    if missing:
        message = f"{', '.join(missing)} not found, which the services' scripts call"
        yield Problem(message, path=demands.folders, hint=demands.hint)


def too_high(asked: tuple[Ceiling, ...], lives: Mapping[str, tuple[Life, Life]]) -> Iterator[Problem]:
    """Say which limits are above the hard ones: chpst lowers them to those without a word.

    A service that runs tells its hard limits, which are its supervisor's; of one that does not, only what the kernel allows at most
    is known. A host that is to be rebooted with other limits is no error: so these are warnings.
    """
    hard: dict[str, Mapping[str, int]] = {}
    for service, name, value, origin in asked:
        if service not in hard:
            life = lives[service][0] if service in lives else Life()
            hard[service] = (ceilings.of_process(life.pid) if life.pid else {}) or ceilings.of_kernel()
        if value > hard[service].get(name, value):
            message = f"{value} is above the hard limit of {hard[service][name]}, which the service would get instead"
            yield Problem(message, mark=origin.mark, key=origin.key, hint=_HINT)
