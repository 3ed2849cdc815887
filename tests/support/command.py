"""The command `runit-provision` as a person runs it: the installed one, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

PROGRAM = str(Path(sys.executable).with_name("runit-provision"))


class Result(NamedTuple):
    """Exit status and output."""

    status: int
    out: str
    err: str


def runit_provision(*arguments: object, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Result:
    """Run the command to its end; `env` is added to the environment."""
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
        cwd=cwd,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)
