"""Work in a child, in a mount namespace of its own when something is to be mounted for it."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import tempfile
import traceback
from collections.abc import Callable
from typing import Any

from . import waiting

_CLONE_NEWNS = 0x00020000


def told(work: Callable[[], object], *, mounts: str = "", deadline: float = waiting.DEADLINE) -> Any:
    """Give what `work` gives, as JSON brings it, after the shell line `mounts`; AssertionError when it fails, or takes too long."""
    with tempfile.TemporaryFile() as answer:
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
        assert waiting.ended(pid, deadline=deadline) == 0
        answer.seek(0)
        return json.loads(answer.read())
