"""Every exception of the provisioner. Each carries facts (file, line, key, hint), never only text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_BEGINNING = 3
"""Letters that a word has to have in common with another to be its beginning, or the other way round."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a source that a person wrote: `line` and `column` count from 1; `target`: where the value stands that it refers to."""

    file: str
    line: int
    column: int
    target: Mark | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}"
        return f"{place} -> {self.target}" if self.target else place


def printable(text: str) -> str:
    """Keep a name that anybody may have chosen from moving the cursor or more: what cannot be printed is escaped."""
    return text if text.isprintable() else "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


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
        # A hint may be a text to copy, of several lines.
        hint = "\n".join(map(printable, self.hint.split("\n")))
        return f"{printable(line)}; {hint}" if hint else printable(line)


def nearest(word: object, known: Iterable[str], otherwise: str = "") -> str:
    """Give a hint that names the known word that `word` is a slip of or has its beginning in common with; `otherwise` if there is none.

    A wrong guess is worse than none: of four letters one may be wrong, in a shorter word they may only be missing or swapped.
    """
    text, names = str(word), list(known)
    most = len(text) // 4
    slips = {name: _slips(text, name) for name in names if abs(len(name) - len(text)) <= max(most, 1)}
    near = [name for name in slips if slips[name] <= most or (slips[name] == 1 < len(text) and set(text) <= set(name))]
    begun = [name for name in names if min(len(text), len(name)) >= _BEGINNING and (name.startswith(text) or text.startswith(name))]
    meant = sorted(near, key=lambda name: (slips[name], name)) or begun
    return f"did you mean `{meant[0]}`?" if meant else otherwise


def _slips(one: str, other: str) -> int:
    """Count the letters to be put in, left out, changed or swapped with their neighbour (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        above, row, before_last = row, [i], before
        for j, wanted in enumerate(other, 1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != wanted)))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                row[j] = min(row[j], before_last[j - 2] + 1)
        before = above
    return row[-1]


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

    untouched: it is known that nothing was changed. begun: a journal tells what was to be.
    """

    untouched = False
    begun = False


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


@contextmanager
def while_journalled() -> Iterator[None]:
    """Let a HostError from here know that the journal tells what was begun."""
    try:
        yield
    except HostError as error:
        error.begun = not error.untouched
        raise


class LockHeldError(ProvisionError):
    """Another apply holds the lock. Exit status 3."""
