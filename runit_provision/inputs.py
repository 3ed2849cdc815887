"""What an answer comes from: the files, folders, programs and variables that are read on the way from the data to the desired tree.

All of them are asked for through one `Inputs`, which remembers every question and a digest of what was said. To ask the same
questions again costs little beside looking up and rendering again, and tells whether the answer would be the same.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from _blake2 import blake2b  # hashlib loads all of OpenSSL
from collections.abc import Callable, Iterator
from contextlib import suppress

NOTHING = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG))
"""Errors that say that no file has a name, or can have it. Any other may hide one that is there."""

_PASSED: dict[str, bytes] = {}
"""What came through a pipe (`--facts <(facter)`, /dev/stdin): it comes only once, and is asked for as often as a file is."""

Question = tuple[str, str]
"""A kind (the name of a method of Inputs), and a name: a path, a variable."""


class Inputs:
    """Reads, and remembers what was asked for."""

    def __init__(self) -> None:
        self._said: dict[Question, bytes] = {}
        self.repeatable = True
        """False when something was asked that says something else each time, or was changed while it was asked."""

    def file(self, path: str) -> bytes:
        """Give the contents of a file; OSError when it cannot be read."""
        try:
            content = _PASSED[path] if path in _PASSED else _read(path)
        except OSError as error:
            self.note(("file", path), b"!%d" % (error.errno or 0))
            raise
        self.note(("file", path), b"=" + content)
        return content

    def names(self, folder: str) -> list[str]:
        """Give the names in a folder, sorted by their bytes; OSError when it cannot be read."""
        try:
            names = sorted(os.listdir(folder), key=os.fsencode)
        except OSError as error:
            self.note(("names", folder), b"!%d" % (error.errno or 0))
            raise
        self.note(("names", folder), b"=" + b"/".join(map(os.fsencode, names)))
        return names

    def exists(self, path: str) -> bool:
        """Tell whether a path leads to something; OSError when that cannot be told."""
        return self._found("exists", path, os.stat)

    def is_there(self, path: str) -> bool:
        """Tell whether anything has this name, be it a link that leads nowhere; OSError when that cannot be told."""
        return self._found("is_there", path, os.lstat)

    def is_folder(self, path: str) -> bool:
        """Tell whether a path leads to a folder."""
        return self._bit("is_folder", path, os.path.isdir)

    def is_executable(self, path: str) -> bool:
        """Tell whether a path leads to what its owner may execute."""
        return self._bit("is_executable", path, lambda name: bool(os.stat(name).st_mode & stat.S_IXUSR))

    def is_link(self, path: str) -> bool:
        """Tell whether a path is a symbolic link."""
        return self._bit("is_link", path, os.path.islink)

    def variable(self, name: str) -> str | None:
        """Give an environment variable, or None."""
        value = os.environ.get(name)
        self.note(("variable", name), b"" if value is None else b"=" + os.fsencode(value))
        return value

    def machine_name(self, _: str = "") -> str:
        """Give this machine's own name; uname(2)."""
        name = os.uname().nodename
        self.note(("machine_name", ""), os.fsencode(name))
        return name

    def program(self, path: str) -> bool:
        """Tell whether a program is there whose word is taken; another version of it is another input."""
        try:
            found = os.stat(path)
        except OSError:
            found = None
        if found is None or not stat.S_ISREG(found.st_mode) or not os.access(path, os.X_OK):
            self.note(("program", path), b"")
            return False
        self.note(("program", path), repr((os.path.realpath(path), found.st_size, found.st_mtime_ns)).encode())
        return True

    def ourselves(self, _: str = "") -> None:
        """Ask for this program itself: its version is that of every file of it, of the interpreter and of the libraries."""
        self.note(("ourselves", ""), repr(tuple(_ourselves())).encode())

    def _found(self, kind: str, path: str, look: Callable[[str], object]) -> bool:
        try:
            look(path)
        except OSError as error:
            self.note((kind, path), b"!%d" % (error.errno or 0))
            if error.errno not in NOTHING:
                raise
            return False
        self.note((kind, path), b"=")
        return True

    def _bit(self, kind: str, path: str, of: Callable[[str], bool]) -> bool:
        found = of(path)
        self.note((kind, path), b"1" if found else b"0")
        return found

    def note(self, question: Question, said: bytes) -> None:
        """Remember what was said to `question`, by whomever."""
        digest = blake2b(said, digest_size=16).digest()
        if self._said.setdefault(question, digest) != digest:
            self.repeatable = False

    @property
    def questions(self) -> tuple[Question, ...]:
        """Everything that was asked, once each, in order."""
        return tuple(self._said)

    def digest(self, salt: str) -> str:
        """Give one digest of all that was said, keyed with `salt` so that nobody has tables of it; hexadecimal.

        There is none of a single input: from it, who knows all but a password of a file could find that by trying.
        """
        whole = blake2b(key=salt.encode(), digest_size=32)
        for (kind, name), said in self._said.items():
            whole.update(b"%s\0%s\0%s" % (kind.encode(), os.fsencode(name), said))
        return whole.hexdigest()

    def ask(self, question: Question) -> bool:
        """Ask again; False for a question that is not known here."""
        kind, name = question
        if kind not in _KINDS:
            return False
        with suppress(OSError):  # noted, as it was when it was asked first
            getattr(self, kind)(name)
        return True


_KINDS = frozenset(
    ("file", "names", "exists", "is_there", "is_folder", "is_executable", "is_link", "variable", "machine_name", "program", "ourselves")
)


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        content = file.read()
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            _PASSED[path] = content
        return content


def _ourselves() -> Iterator[object]:
    yield (sys.version, sys.getfilesystemencoding(), os.geteuid(), os.getegid())
    for folder in sys.path:
        with suppress(OSError):
            yield from sorted(name for name in os.listdir(folder) if name.endswith(("-info", ".pth")))
    pending = [os.path.dirname(os.path.abspath(__file__))]
    while pending:
        for entry in sorted(os.scandir(pending.pop()), key=lambda entry: entry.name):
            if entry.is_dir():
                pending += [entry.path] if entry.name != "__pycache__" else []
            else:
                found = entry.stat()
                yield (entry.path, found.st_size, found.st_mtime_ns)
