"""What is provisioned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Target:
    """root: "/" or an image. user: one account's tree alone, or None for the whole host."""

    root: Path = Path("/")
    user: str | None = None
