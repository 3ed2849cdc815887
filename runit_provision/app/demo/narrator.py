"""What the demo shows; how is for who implements this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from runit_provision.app.living import Living


class Narrator(Protocol):
    """Tells a person what happens."""

    def chapter(self, title: str) -> None:
        """A new part of the story."""

    def say(self, text: str) -> None:
        """A sentence."""

    def command(self, line: str) -> None:
        """What one would type to do this oneself."""

    def lines(self, lines: Sequence[str]) -> None:
        """Text as it is: a value, log lines."""

    def diff(self, lines: Sequence[str]) -> None:
        """A change of a file."""

    def plan(self, lines: Sequence[str]) -> None:
        """Steps, each with its sign, and their counts."""

    def table(self, services: Sequence[Living]) -> None:
        """How the services fare."""
