"""One input, two loggers: what C svlogd and ours make of it, in a form that can be compared."""

from __future__ import annotations

import fcntl
import re
import struct
import subprocess
import termios
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from support import waiting

# What stamps are made of; test input must not have it, so that one stamp looks like another.
STAMP = bytes.maketrans(b"0123456789abcdef-:._T", b"#####################")
NAME = re.compile(r"@[0-9a-f]{24}\.[stu]")


def scratch() -> Path:
    """Give a new directory, in memory where there is one: every rotation is an fsync."""
    return Path(mkdtemp(prefix="svlogd-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))


@dataclass(frozen=True)
class Directory:
    """A log directory: old files' suffixes, modes and sizes in order, all their bytes and `current`'s, other names."""

    old: tuple[tuple[str, int, int], ...]
    text: bytes
    current: tuple[int, int] | None
    others: tuple[tuple[str, int], ...]


def seen(directory: Path) -> Directory:
    """Look at a log directory; every stamp in it looks the same."""
    names = sorted(entry.name for entry in directory.iterdir())
    old = [directory / name for name in names if NAME.fullmatch(name)]
    others = [name for name in names if not NAME.fullmatch(name) and name != "current"]
    current = directory / "current"
    text = b"".join(path.read_bytes() for path in [*old, *([current] if current.exists() else [])])
    return Directory(
        old=tuple((path.suffix, path.stat().st_mode & 0o7777, path.stat().st_size) for path in old),
        text=text.translate(STAMP),
        current=(current.stat().st_mode & 0o7777, current.stat().st_size) if current.exists() else None,
        others=tuple((name, (directory / name).stat().st_mode & 0o7777) for name in others),
    )


@dataclass(frozen=True)
class Outcome:
    """What a run left behind: exit status, stderr, directories."""

    status: int
    stderr: bytes
    directories: tuple[Directory, ...]


def run(svlogd: str, options: Sequence[str], directories: Sequence[Path], pieces: Sequence[bytes]) -> Outcome:
    """Feed `pieces` to a logger, each when it has taken the one before, and end its input."""
    # Bare names and a working directory, so that messages are the same for both.
    process = subprocess.Popen(
        [svlogd, *options, *[path.name for path in directories]],
        cwd=directories[0].parent,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert process.stdin is not None and process.stderr is not None
    try:
        for piece in pieces:
            process.stdin.write(piece)
            process.stdin.flush()
            waiting.until(lambda: not unread(process.stdin.fileno()) or process.poll() is not None, what="the logger reads")  # type: ignore[union-attr]
        process.stdin.close()
    except BrokenPipeError:
        pass
    stderr = process.stderr.read()
    process.stderr.close()
    status = process.wait(timeout=waiting.DEADLINE)
    return Outcome(status, stderr.translate(STAMP), tuple(seen(path) for path in directories if path.is_dir()))


def unread(pipe: int) -> int:
    """Give how many bytes wait in a pipe."""
    return int(struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0])
