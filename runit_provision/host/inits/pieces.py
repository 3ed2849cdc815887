"""What stands among an init's files because we put it there: a file, a link, or lines between two marks.

A file and a block of lines say whose they are and carry the digest of what was laid, so that a stranger's file of the same name and an
edit by hand are told from what may be replaced and taken back.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Protocol

from runit_provision.host.manifest import beside, digest, read, write
from runit_provision.host.rooted import on_host, resolve

_STAMP = "# Laid by `runit-provision init link`, taken back by `runit-provision init unlink` ({}).\n"
_BEGIN = "#-- {} begin: laid by `runit-provision init link`, taken back by `runit-provision init unlink` ({})\n"
_END = "#-- {} end\n"


class State(Enum):
    """What is found in a piece's place."""

    ABSENT = "absent"
    LAID = "laid"
    OUTDATED = "laid by another version or with other options"
    EDITED = "edited since it was laid"
    FOREIGN = "not laid by runit-provision"


class Piece(Protocol):
    """One of the things that an init is told with. path: the host's. own_folder: the
    outermost folder on the way that is made, and goes when it is empty; or none."""

    @property
    def path(self) -> str: ...

    @property
    def own_folder(self) -> str: ...

    @property
    def when_edited(self) -> str:
        """A hint: what a person is to do who has edited it."""

    def state(self, root: Path) -> State:
        """Compare with what is there."""

    def lay(self, root: Path) -> None:
        """Put it there at once; only where it is absent or ours."""

    def take_back(self, root: Path) -> None:
        """Remove it; only what is ours."""


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A whole file. `text` is without the stamp, which comes after a `#!` line or first; stamped: it has one."""

    path: str
    text: str
    mode: int
    own_folder: str = ""
    stamped: bool = True
    when_edited: str = "move it away; it is laid anew, without the edit"

    def __str__(self) -> str:
        return self.path

    def state(self, root: Path) -> State:
        file = on_host(root, self.path)
        if not os.path.lexists(file):
            return State.ABSENT
        content = None if file.is_symlink() or not file.is_file() else read(file)
        return _compare(content or b"", self._content(), _STAMP)

    def lay(self, root: Path) -> None:
        file = on_host(root, self.path)
        _make_folders(root, self)
        write(beside(file), self._content(), mode=self.mode)
        beside(file).replace(file)

    def take_back(self, root: Path) -> None:
        on_host(root, self.path).unlink(missing_ok=True)

    def _content(self) -> bytes:
        if not self.stamped:
            return self.text.encode()
        head, body = re.fullmatch(r"(?s)(#![^\n]*\n)?(.*)", self.text).groups("")  # type: ignore[union-attr]
        return f"{head}{_STAMP.format(_short(self.text))}{body}".encode()


@dataclass(frozen=True, slots=True)
class OwnLink:
    """A symbolic link; one with another target is a stranger's."""

    path: str
    target: str
    own_folder: str = ""

    def __str__(self) -> str:
        return self.path

    def state(self, root: Path) -> State:
        link = on_host(root, self.path)
        if not os.path.lexists(link):
            return State.ABSENT
        return State.LAID if link.is_symlink() and os.readlink(link) == self.target else State.FOREIGN

    @property
    def when_edited(self) -> str:
        return "move it away"

    def lay(self, root: Path) -> None:
        link = on_host(root, self.path)
        _make_folders(root, self)
        link.symlink_to(self.target)

    def take_back(self, root: Path) -> None:
        on_host(root, self.path).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class OwnLines:
    """Lines in a file that is not ours, whose other lines stay as they are, byte for byte.

    name: tells these lines from our others in the same file. text: the lines, each with its newline. before: they come before the
    first line that this holds for, or at the end.
    """

    path: str
    name: str
    text: str
    before: Callable[[str], bool]
    own_folder: str = ""

    def __str__(self) -> str:
        return f"{self.path} ({', '.join(self.text.splitlines())})"

    @property
    def when_edited(self) -> str:
        return (
            f"in that file, delete the lines from `#-- {self.name} begin` to `#-- {self.name} end`, or restore them, and leave the rest"
        )

    def state(self, root: Path) -> State:
        block = self._pattern().search(self._read(root))
        stamp = _BEGIN.format(self.name, "{}")
        return _compare(f"{block['lines']}\n".encode(errors="surrogateescape"), self._content(), stamp) if block else State.ABSENT

    def lay(self, root: Path) -> None:
        text = self._read(root)
        content = self._content().decode(errors="surrogateescape")
        if self._pattern().search(text):
            return self._write(root, self._pattern().sub(lambda old: old[0].replace(old["lines"], content[:-1]), text))
        lines = text.splitlines(keepends=True)
        place = next((number for number, line in enumerate(lines) if self.before(line)), len(lines))
        if place == len(lines) and lines and not lines[-1].endswith("\n"):
            # A last line without its newline gets it from us, and we end without one: so the pattern knows what to take back.
            content = "\n" + content[:-1]
        return self._write(root, "".join([*lines[:place], content, *lines[place:]]))

    def take_back(self, root: Path) -> None:
        self._write(root, self._pattern().sub("", self._read(root)))

    def _content(self) -> bytes:
        return f"{_BEGIN.format(self.name, _short(self.text))}{self.text}{_END.format(self.name)}".encode(errors="surrogateescape")

    def _pattern(self) -> re.Pattern[str]:
        name = re.escape(self.name)
        return re.compile(rf"(?s)(?:^|(?<=\n)|(?P<lent>\n))(?P<lines>#-- {name} begin\b.*?\n#-- {name} end)(?(lent)\Z|\n)")

    def _read(self, root: Path) -> str:
        return (read(self._file(root)) or b"").decode(errors="surrogateescape")

    def _write(self, root: Path, text: str) -> None:
        file = self._file(root)
        was = file.stat()
        write(beside(file), text.encode(errors="surrogateescape"), mode=was.st_mode & 0o7777)
        if (was.st_uid, was.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(beside(file), was.st_uid, was.st_gid)
        beside(file).replace(file)

    def _file(self, root: Path) -> Path:
        return root / (resolve(root, self.path) or self.path).lstrip("/")


def _compare(found: bytes, wanted: bytes, stamp: str) -> State:
    if found == wanted:
        return State.LAID
    before, _, after = (re.escape(part) for part in stamp.rstrip("\n").partition("{}"))
    text = found.decode(errors="surrogateescape")
    line = re.search(rf"(?m)^{before}([0-9a-f]+){after}\n", text)
    if not line:
        return State.FOREIGN
    rest = text[: line.start()] + text[line.end() :]
    return State.OUTDATED if line[1] == _short(re.sub(r"(?m)^#-- .* end\n\Z", "", rest)) else State.EDITED


def _short(text: str) -> str:
    return digest(text.encode(errors="surrogateescape"))[:12]


def own_folders(piece: Piece) -> list[str]:
    """Give the folders that are made for `piece`, innermost first."""
    return [str(folder) for folder in PurePosixPath(piece.path).parents if folder.is_relative_to(piece.own_folder or piece.path)]


def _make_folders(root: Path, piece: Piece) -> None:
    for folder in reversed(own_folders(piece)):
        with suppress(FileExistsError):
            on_host(root, folder).mkdir(mode=0o755)
