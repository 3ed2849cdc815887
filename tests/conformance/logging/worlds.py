"""One input, two loggers: what C svlogd and ours make of it, in a form that can be compared."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

from support import fifo, waiting
from support.supervision import GONE

# What stamps are made of; test input must not have it, so that one stamp looks like another.
STAMP = bytes.maketrans(b"0123456789abcdef-:._T", b"#####################")
POLLS = {"x86_64": ("7", "271"), "aarch64": ("73",)}[os.uname().machine]
"""The numbers of poll(2) and ppoll(2)."""
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


class Told(NamedTuple):
    """A signal that comes when the logger waits for more; configs: what stands in the directories' config files from then on."""

    number: int
    configs: tuple[bytes, ...] = ()


def run(
    svlogd: str,
    options: Sequence[str],
    directories: Sequence[Path],
    steps: Sequence[bytes | Told],
    *,
    patience: float = waiting.DEADLINE,
) -> Outcome:
    """Feed a logger, and tell it signals, each step when it has done with the one before; end its input, unless TERM was the last."""
    # Bare names and a working directory, so that messages are the same for both.
    process = subprocess.Popen(
        [svlogd, *options, *[path.name for path in directories]],
        cwd=directories[0].parent,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert process.stdin is not None and process.stderr is not None
    told: list[bytes] = []
    reader = threading.Thread(target=lambda: told.append(process.stderr.read()), daemon=True)  # type: ignore[union-attr]
    reader.start()
    try:
        waiting.until(lambda: waits(process), deadline=patience, what=f"{svlogd} is ready")
        for step in steps:
            if isinstance(step, Told):
                for directory, config in zip(directories, step.configs, strict=False):
                    directory.joinpath("config").write_bytes(config)
                process.send_signal(step.number)
            else:
                process.stdin.write(step)
                process.stdin.flush()
            waiting.until(lambda: waits(process), deadline=patience, what=f"{svlogd} has done {step!r:.80}")
        if not (steps and isinstance(steps[-1], Told) and steps[-1].number == signal.SIGTERM):
            process.stdin.close()
        status = process.wait(timeout=patience)
    except BrokenPipeError:
        status = process.wait(timeout=patience)
    finally:
        process.kill()
        process.wait()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        reader.join(patience)
        assert not reader.is_alive(), "somebody else has its stderr open"
        process.stderr.close()
    return Outcome(status, _by_directory(told[0]).translate(STAMP), tuple(seen(path) for path in directories if path.is_dir()))


def _by_directory(stderr: bytes) -> bytes:
    """Put what is said of each directory together: of several, ours does a chunk for one after the other, C each line for all."""

    lines: dict[int, list[bytes]] = {}
    for line in stderr.split(b"\n"):
        named = re.match(rb"svlogd: .*\blog([0-9]+)\b", line)
        lines.setdefault(int(named[1]) if named else -1, []).append(line)
    return b"\n".join(line for number in sorted(lines) for line in lines[number])


def waits(process: subprocess.Popen[bytes]) -> bool:
    """Whether a logger has ended, or took its input and signals, made its files safe, and sleeps in poll(2) until there is more."""
    assert process.stdin is not None
    if process.poll() is not None:
        return True
    try:
        if fifo.unread(process.stdin.fileno()):
            return False
        status = Path(f"/proc/{process.pid}/status").read_text()
        call = Path(f"/proc/{process.pid}/syscall").read_text().split()[0]
    except (*GONE, IndexError):
        return process.poll() is not None
    pending = [line.split()[1] for line in status.splitlines() if line.startswith(("SigPnd:", "ShdPnd:"))]
    syncs = "\nThreads:\t1\n" not in status
    return call in POLLS and not syncs and not any(int(mask, 16) for mask in pending)
