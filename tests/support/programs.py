"""Running one program, or the same words through two implementations, and holding everything that it says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from .waiting import DEADLINE


class Said(NamedTuple):
    """What a program said and how it ended; code: exit status, negative for a signal."""

    code: int
    out: bytes
    err: bytes


def run(
    program: str | Path | bytes, words: Sequence[str | bytes] = (), *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Said:
    """Run `program` with `words`, an empty standard input and, if given, exactly the environment `env`."""
    arguments = [os.fsencode(program), *(os.fsencode(word) for word in words)]
    done = subprocess.run(arguments, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=2 * DEADLINE, check=False)
    return Said(done.returncode, done.stdout, done.stderr)


@contextmanager
def started(words: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Start a program, with `options` of Popen, that has ended at the end, whatever happens: who only waits may wait for ever."""
    with subprocess.Popen(words, **options) as process:
        try:
            yield process
        finally:
            process.kill()
