"""Work in a child, in a mount namespace of its own when something is to be mounted for it."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import tempfile
import traceback
from collections.abc import Callable
from typing import IO, Any

from . import waiting

_CLONE_NEWNS = 0x00020000
Begun = tuple[int, IO[bytes]]
"""A child's pid, and the file that its answer comes in."""


def told(work: Callable[[], object], *, mounts: str = "", deadline: float = waiting.DEADLINE) -> Any:
    """Give what `work` gives, as JSON brings it, after the shell line `mounts`; AssertionError when it fails, or takes too long."""
    return given(begun(work, mounts=mounts), deadline=deadline)


def begun(work: Callable[[], object], *, mounts: str = "") -> Begun:
    """Begin `work`, and do not wait for it."""
    answer = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `given`
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            if mounts:
                ctypes.CDLL(None).unshare(_CLONE_NEWNS)
                subprocess.run(["sh", "-ec", f"mount --make-rprivate /; {mounts}"], check=True)
            answer.write(json.dumps(work()).encode())
            answer.flush()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return pid, answer


def given(child: Begun, *, deadline: float = waiting.DEADLINE) -> Any:
    """Give what was begun comes to; AssertionError when it fails, or takes too long."""
    pid, answer = child
    with answer:
        assert waiting.ended(pid, deadline=deadline) == 0
        answer.seek(0)
        return json.loads(answer.read())
