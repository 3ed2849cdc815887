"""What is provisioned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runit_provision.errors import before_any_change

if TYPE_CHECKING:
    from runit_provision.host import Machine


@dataclass(frozen=True, slots=True)
class Target:
    """root: "/" or an image. user: one account's tree alone, or None for the whole host.

    services: the ids of those that it is about, none for all that is no service of the data; or None for everything.

    library: where apply keeps what it remembers; None for the place that root and environment give it.
    """

    root: Path = Path("/")
    user: str | None = None
    library: Path | None = None
    services: frozenset[str] | None = None

    @before_any_change()
    def machine(self) -> Machine:
        """Open it; to be closed, or used with `with`. HostError when it cannot be used."""
        from runit_provision.host import Machine

        return Machine(self.root, place=self.library)
