"""Every exception of the provisioner. Each carries facts (file, line, key, hint), never only text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_BEGINNING = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a source that a person wrote: `line` and `column` count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    message: what, in one line, without a full stop; mark: where it was written; key: the dotted path of the key;
    path: the host's path it is about; hint: what to do about it.
    """

    message: str
    mark: Mark | None = None
    key: str = ""
    path: str = ""
    hint: str = ""

    def __str__(self) -> str:
        where = [str(self.mark)] if self.mark else []
        what = [part for part in (self.key, self.path) if part]
        line = ": ".join([*where, *what, self.message])
        return f"{line}; {self.hint}" if self.hint else line


def nearest(word: object, known: Iterable[str], otherwise: str = "") -> str:
    """Give a hint that names the known word that was probably meant by `word`, or `otherwise` when none is like it."""
    from difflib import get_close_matches

    known, word = list(known), str(word)
    near = get_close_matches(word, known, 1) or [other for other in known if len(other) >= _BEGINNING and word.startswith(other)]
    return f"did you mean `{near[0]}`?" if near else otherwise


class ProvisionError(Exception):
    """Something that stops the work; `problems` holds every one that was found. Exit status 1."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems
        self.warnings: tuple[Problem, ...] = ()
        """What was odd before, and may say why."""


class DataError(ProvisionError):
    """The data, or the hierarchy it comes from, is wrong. Nothing was changed."""


class HostError(ProvisionError):
    """The host refused an operation, or is not as it has to be.

    untouched: it is known that nothing was changed.
    """

    untouched = False


class NoAccountError(HostError):
    """An account that is to work on its own files is not on this host."""


@contextmanager
def with_warnings(warnings: Callable[[], Iterable[Problem]]) -> Iterator[None]:
    """Let a ProvisionError from here know what was odd until then."""
    try:
        yield
    except ProvisionError as error:
        error.warnings = tuple(warnings())
        raise


@contextmanager
def before_any_change() -> Iterator[None]:
    """Let a HostError from here know that nothing was changed."""
    try:
        yield
    except HostError as error:
        error.untouched = True
        raise


class LockHeldError(ProvisionError):
    """Another apply holds the lock. Exit status 3."""
