"""What helps when the disk refuses a change."""

from __future__ import annotations

import errno

from runit_provision.errors import HostError, Problem

REMEDIES = {
    errno.ENOSPC: "make room on its filesystem (blocks or inodes), then apply again",
    errno.EDQUOT: "make room within the quota, then apply again",
    errno.EFBIG: "raise the limit of a file's size (ulimit -f), then apply again",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.EIO: "see what the kernel says of that disk (dmesg)",
    errno.EROFS: "mount its filesystem for writing, then apply again",
    errno.EPERM: "is it immutable (lsattr), or on a filesystem that knows no owners?",
    errno.ENOTDIR: "it has to be a directory: move away what is there, then apply again",
    errno.EAGAIN: "its supervisor reads no more letters: is it stopped?",
    errno.EBUSY: "apply again when that one is done",
    errno.ETIMEDOUT: "a stopped process or a hanging filesystem of that account; all else was done",
}


def refused(what: str, error: OSError, path: str) -> HostError:
    """Give the error that says `what` of `path`, why, and what helps."""
    return HostError(Problem(f"{what}: {error.strerror}", path=path, hint=REMEDIES.get(error.errno or 0, "")))
