"""What a loss of power may leave of a run: its changes are recorded by strace(1), and replayed as far as what was synced allows.

A filesystem is modelled as inodes: a directory's names, a file's content, mode and owner each have a history of their own, of which a
crash leaves some beginning, at least what was synced. fsync(2) makes one inode last (a file's content, a directory's names), syncfs(2)
all of them. Two models: `ordered`, in which names come to the disk in the order in which they were made, as a journalling filesystem
(ext4, xfs) has it, and only contents may be late; and not, in which each directory's names are as late as they like.
"""

from __future__ import annotations

import ast
import os
import random
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

_LINE = re.compile(r"^(\d+) +(.*)$")
_CALL = re.compile(r"^(\w+)\((.*)\) += +(-?\d+)(?:<(.*)>)?(?: \(deleted\))?(?: E\w+.*)?$")
_TEXT = r'"((?:[^"\\]|\\.)*)"(?:\.\.\.)?'
_FD = r"(?:AT_FDCWD|\d+)<([^>]*)>"
_AT = re.compile(rf"{_FD}, {_TEXT}")
_PLAIN = re.compile(rf"^{_TEXT}")
_OF_FD = re.compile(r"^(\d+)<([^>]*)>")


@dataclass(slots=True, eq=False)
class Inode:
    """kind: of stat(2). The histories are lists of (number of the call, value)."""

    kind: int
    names: dict[str, Inode] = field(default_factory=dict)
    content: bytes = b""
    target: str = ""
    mode: int = 0o600
    owner: tuple[int, int] = (0, 0)


class Change(NamedTuple):
    """A call's number, the inode that it changes, which of its histories (names, content, dress), what makes it, and how it reads."""

    number: int
    inode: Inode
    part: str
    make: Callable[[], None]
    told: str


@dataclass(slots=True)
class Recording:
    """changes: in order. synced: for each inode and history (None: all) up to which call it is on the disk."""

    changes: list[Change] = field(default_factory=list)
    synced: list[tuple[int, Inode | None, str]] = field(default_factory=list)
    last: int = 0


class Disk:
    """The directory `base` as inodes, which a recording changes."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.root = _read(base, {})

    def find(self, path: str) -> Inode | None:
        """Give what a path names; None outside of the base, or when nothing is there."""
        if path == str(self.base):
            return self.root
        if not path.startswith(f"{self.base}/"):
            return None
        inode: Inode | None = self.root
        for name in path[len(str(self.base)) + 1 :].split("/"):
            inode = inode.names.get(name) if inode else None
        return inode

    def write(self, base: Path) -> None:
        """Write everything to the empty directory `base`."""
        _write(self.root, base, {})


def _read(path: Path, known: dict[int, Inode]) -> Inode:
    seen = path.lstat()
    if seen.st_ino in known:
        return known[seen.st_ino]
    inode = known[seen.st_ino] = Inode(stat.S_IFMT(seen.st_mode), mode=stat.S_IMODE(seen.st_mode), owner=(seen.st_uid, seen.st_gid))
    if stat.S_ISDIR(seen.st_mode):
        inode.names = {each.name: _read(each, known) for each in path.iterdir()}
    elif stat.S_ISLNK(seen.st_mode):
        inode.target = str(path.readlink())
    elif stat.S_ISREG(seen.st_mode):
        inode.content = path.read_bytes()
    return inode


def _write(inode: Inode, path: Path, known: dict[int, Path]) -> None:
    if id(inode) in known and inode.kind != stat.S_IFDIR:
        return os.link(known[id(inode)], path, follow_symlinks=False)
    known[id(inode)] = path
    if inode.kind == stat.S_IFLNK:
        return path.symlink_to(inode.target)
    if inode.kind == stat.S_IFDIR:
        path.mkdir()
        for name, each in inode.names.items():
            _write(each, path / name, known)
    else:
        path.write_bytes(inode.content)
    os.chown(path, *inode.owner)
    path.chmod(inode.mode)
    return None


def record(trace: str, disk: Disk, *, user: tuple[int, int]) -> Recording:
    """Read a trace (strace -f -y) of changes to `disk`, which then is as it was afterwards. user: who all but the first process are."""
    return _Reader(disk, user).read(trace)


class _Reader:
    def __init__(self, disk: Disk, user: tuple[int, int]) -> None:
        self._disk = disk
        self._user = user
        self._made = Recording()
        self._open: dict[tuple[str, str], Inode] = {}
        self._told = ""

    def read(self, trace: str) -> Recording:
        first = ""
        for number, (pid, line) in enumerate(_lines(trace), start=1):
            first = first or pid
            call = _CALL.match(line)
            if call and int(call[3]) >= 0:
                self._made.last = number
                self._told = f"{pid} {line.replace(str(self._disk.base), '')}"
                self._call(number, pid, call, (0, 0) if pid == first else self._user)
        return self._made

    def _call(self, number: int, pid: str, call: re.Match[str], owner: tuple[int, int]) -> None:
        name, arguments, given, shown = call.groups()
        paths = [os.path.normpath(os.path.join(at, _decoded(text))) for at, text in _AT.findall(arguments)]  # noqa: PTH118
        paths = paths or [_decoded(text) for text in _PLAIN.findall(arguments)]
        fd = _OF_FD.match(arguments)
        inside = fd and fd[2].startswith(str(self._disk.base))
        opened = (self._open.get((pid, fd[1])) or self._disk.find(fd[2])) if fd and inside else None
        if name == "openat":
            self._opened(number, pid, paths[0], given, arguments, owner, shown)
        elif name == "syncfs":
            self._made.synced.append((number, None, ""))
        elif name in ("write", "pwrite64", "ftruncate", "fsync", "fdatasync", "fchmod", "fchown"):
            if opened:
                self._descriptor(number, name, opened, arguments)
        elif name in ("chmod", "chown", "fchmodat", "fchownat", "lchown"):
            if inode := self._of(pid, paths[0]):
                self._descriptor(number, "fchmod" if "mod" in name else "fchown", inode, arguments)
        else:
            self._names(number, name, paths, arguments, owner)

    def _descriptor(self, number: int, name: str, inode: Inode, arguments: str) -> None:
        values = re.findall(r"(?<=, )-?\d+", arguments)
        match name:
            case "write" | "pwrite64":
                content = _decoded(arguments.split(", ", 1)[1].rsplit('"', 1)[0][1:]).encode("latin-1")
                self._change(number, inode, "content", content=content if name == "pwrite64" else inode.content + content)
            case "ftruncate":
                self._change(number, inode, "content", content=b"")
            case "fchmod":
                self._change(number, inode, "dress", mode=int(values[0], 8))
            case "fchown":
                self._change(number, inode, "dress", owner=(int(values[0]), int(values[1])))
            case _:
                parts = ("names",) if inode.kind == stat.S_IFDIR else ("content", "dress")
                self._made.synced += [(number, inode, part) for part in parts]

    def _names(self, number: int, name: str, paths: Sequence[str], arguments: str, owner: tuple[int, int]) -> None:
        match name:
            case "mkdir" | "mkdirat":
                self._name(number, paths[0], Inode(stat.S_IFDIR, mode=0o700, owner=owner))
            case "symlinkat":
                self._name(number, paths[0], Inode(stat.S_IFLNK, target=_decoded(_PLAIN.findall(arguments)[0])))
            case "rename" | "renameat" | "renameat2":
                self._name(number, paths[0], None, also=(paths[1], self._disk.find(paths[0])))
            case "link" | "linkat":
                self._name(number, paths[1], self._disk.find(paths[0]))
            case "unlink" | "unlinkat" | "rmdir":
                self._name(number, paths[0], None)
            case _:
                raise AssertionError(f"not modelled: {name}({arguments})")

    def _of(self, pid: str, path: str) -> Inode | None:
        if path.startswith("/proc/self/fd/"):
            return self._open.get((pid, path.rpartition("/")[2]))
        return self._disk.find(path)

    def _opened(self, number: int, pid: str, path: str, given: str, arguments: str, owner: tuple[int, int], shown: str) -> None:
        self._open.pop((pid, given), None)
        where = shown if path.startswith("/proc/self/fd/") or arguments.startswith('"') else path
        inode = self._disk.find(where)
        if inode is None and "O_CREAT" in arguments:
            inode = Inode(stat.S_IFREG, owner=owner)
            self._name(number, where, inode)
        if inode is not None:
            self._open[pid, given] = inode

    def _name(self, number: int, path: str, inode: Inode | None, *, also: tuple[str, Inode | None] | None = None) -> None:
        """Let a name of a directory mean `inode`, or nothing; `also`: another, at the same instant."""
        names = [(path, inode), *([also] if also else [])]
        for each, what in names:
            above = self._disk.find(os.path.dirname(each))  # noqa: PTH120
            if above is None:
                continue
            base = os.path.basename(each)  # noqa: PTH119
            self._do(number, above, "names", _naming(above, base, what))

    def _change(self, number: int, inode: Inode, part: str, **values: object) -> None:
        def change() -> None:
            for name, value in values.items():
                setattr(inode, name, value)

        self._do(number, inode, part, change)

    def _do(self, number: int, inode: Inode, part: str, change: Callable[[], None]) -> None:
        change()
        self._made.changes.append(Change(number, inode, part, change, self._told))


def _naming(above: Inode, name: str, inode: Inode | None) -> Callable[[], None]:
    def change() -> None:
        if inode is None:
            above.names.pop(name, None)
        else:
            above.names[name] = inode

    return change


def _decoded(text: str) -> str:
    return str(ast.literal_eval(f'b"{text}"').decode("latin-1"))


def _lines(trace: str) -> Iterator[tuple[str, str]]:
    """Give each call of each process; one that another process's came between is put together where it ended."""
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        if not (seen := _LINE.match(line)):
            continue
        pid, text = seen[1], seen[2]
        if text.endswith(" <unfinished ...>"):
            begun[pid] = text.removesuffix(" <unfinished ...>")
            continue
        if resumed := re.match(r"^<\.\.\. \w+ resumed>(.*)$", text):
            text = begun.pop(pid, "") + resumed[1]
        yield pid, text


def lose(recording: Recording, restore: Callable[[], None], at: int, chosen: random.Random, *, ordered: bool) -> list[str]:
    """Let `restore` make the disk as it was before, and then what a loss of power after call number `at` may leave of the changes.

    Give the changes as lines, those that are lost with a minus.
    """
    restore()
    told = []
    durable = [each for each in recording.synced if each[0] <= at]
    reached: dict[tuple[int, str], int] = {}
    names = chosen.randint(0, at)
    for number, inode, part, change, call in recording.changes:
        if number > at:
            break
        key = (id(inode), part)
        if key not in reached:
            reached[key] = names if ordered and part == "names" else chosen.choice((0, at, chosen.randint(0, at)))
        least = max((each[0] for each in durable if each[1] is None or (each[1] is inode and each[2] == part)), default=0)
        if ordered and part == "names":
            least = max((each[0] for each in durable if each[1] is None or each[2] == "names"), default=0)
        kept = number <= max(reached[key], least)
        if kept:
            change()
        told.append(f"{'+' if kept else '-'} {number:4} {part:7} {call[:300]}")
    return told


def snapshot(disk: Disk) -> Callable[[], None]:
    """Give what makes every inode as it is now."""
    every: list[tuple[Inode, Sequence[object]]] = []

    def collect(inode: Inode) -> None:
        every.append((inode, (dict(inode.names), inode.content, inode.mode, inode.owner)))
        for each in inode.names.values():
            collect(each)

    collect(disk.root)

    def restore() -> None:
        for inode, (names, content, mode, owner) in every:
            inode.names, inode.content, inode.mode, inode.owner = dict(names), content, mode, owner  # type: ignore[call-overload,assignment]

    return restore
