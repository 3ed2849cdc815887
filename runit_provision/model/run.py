"""What a service runs."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Argv:
    """A program and its arguments; each word reaches it byte for byte."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A line that the shell reads: it may expand variables and redirect."""

    text: str


@dataclass(frozen=True, slots=True)
class Script:
    """A whole file, shebang included; a secret is for its owner alone."""

    text: str = field(repr=False)
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Scan:
    """A runsvdir over `directory` (as the script names it); `title` is the length of its rolling title, 0 for none."""

    directory: str
    title: int


Run = Argv | CommandLine | Script | Scan
