"""A filesystem of a user's own that answers nobody: FUSE, mounted in the mount namespace of the caller."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import oracle, waiting

_GETATTR, _INIT, _ACCESS = 3, 26, 34
_ENOSYS = 38


@contextmanager
def hanging(path: Path, *, uid: int, gid: int) -> Iterator[None]:
    """Let `path` be a directory of `uid` in which every name that is looked up takes for ever; fuse(4)."""
    try:
        device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        oracle.absent(f"this kernel has no FUSE: {error}")
    options = f"fd={device},rootmode=40755,user_id={uid},group_id={gid},allow_other"
    library = ctypes.CDLL(None, use_errno=True)
    assert library.mount(b"hanging", os.fsencode(path), b"fuse", 6, options.encode()) == 0, os.strerror(ctypes.get_errno())
    pid = os.fork()
    if pid == 0:
        try:
            _serve(device, uid, gid)
        finally:
            os._exit(0)
    os.close(device)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)  # whoever hangs is told that there is no filesystem any more
        waiting.ended(pid)
        library.umount2(os.fsencode(path), 2)


def _serve(device: int, uid: int, gid: int) -> None:
    while True:
        request = os.read(device, 1 << 17)
        _, operation, unique = struct.unpack_from("<IIQ", request)
        if operation == _INIT:
            answer = struct.pack("<IIIIHHIIHHI7I", 7, 31, 0, 0, 16, 12, 1 << 16, 1, 1, 0, 0, *[0] * 7)
        elif operation == _GETATTR:
            attributes = struct.pack("<6Q10I", 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 2, uid, gid, 0, 4096, 0)
            answer = struct.pack("<QII", 0, 0, 0) + attributes
        elif operation == _ACCESS:
            os.write(device, struct.pack("<IiQ", 16, -_ENOSYS, unique))
            continue
        else:
            continue
        os.write(device, struct.pack("<IiQ", 16 + len(answer), 0, unique) + answer)
