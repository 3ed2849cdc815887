"""What runit's tools say of an errno; what reads their messages may rely on these words, which are not strerror(3)'s."""

from __future__ import annotations

import errno

NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)
"""What a system call fails with that finds no room for a descriptor."""

NO_MEMORY = (errno.ENOBUFS, errno.ENOMEM)
"""What it fails with that the kernel has no memory for just then: soon over, and nothing tells when."""

_TEXTS = {
    "EINTR": "interrupted system call",
    "ENOMEM": "out of memory",
    "ENOENT": "file does not exist",
    "ETXTBSY": "text busy",
    "EIO": "input/output error",
    "EEXIST": "file already exists",
    "ETIMEDOUT": "timed out",
    "EINPROGRESS": "operation in progress",
    "EAGAIN": "temporary failure",
    "EPIPE": "broken pipe",
    "EPERM": "permission denied",
    "EACCES": "access denied",
    "ENXIO": "device not configured",
    "EPROTO": "protocol error",
    "EISDIR": "is a directory",
    "ECONNREFUSED": "connection refused",
    "ENOTDIR": "not a directory",
    "ESRCH": "no such process",
    "E2BIG": "argument list too long",
    "ENOEXEC": "exec format error",
    "EBADF": "file descriptor not open",
    "ECHILD": "no child processes",
    "EDEADLK": "operation would cause deadlock",
    "EFAULT": "bad address",
    "ENOTBLK": "not a block device",
    "EBUSY": "device busy",
    "EXDEV": "cross-device link",
    "ENODEV": "device does not support operation",
    "EINVAL": "invalid argument",
    "ENFILE": "system cannot open more files",
    "EMFILE": "process cannot open more files",
    "ENOTTY": "not a tty",
    "EFBIG": "file too big",
    "ENOSPC": "out of disk space",
    "ESPIPE": "unseekable descriptor",
    "EROFS": "read-only file system",
    "EMLINK": "too many links",
    "ENOTSOCK": "not a socket",
    "EDESTADDRREQ": "destination address required",
    "EMSGSIZE": "message too long",
    "EOPNOTSUPP": "operation not supported",
    "EADDRINUSE": "address already used",
    "EADDRNOTAVAIL": "address not available",
    "ENETDOWN": "network down",
    "ENETUNREACH": "network unreachable",
    "ENETRESET": "network reset",
    "ECONNABORTED": "connection aborted",
    "ECONNRESET": "connection reset",
    "ENOBUFS": "out of buffer space",
    "EISCONN": "already connected",
    "ENOTCONN": "not connected",
    "EHOSTDOWN": "host down",
    "EHOSTUNREACH": "host unreachable",
    "ELOOP": "symbolic link loop",
    "ENAMETOOLONG": "file name too long",
    "ENOTEMPTY": "directory not empty",
    "EUSERS": "too many users",
    "EDQUOT": "disk quota exceeded",
    "ESTALE": "stale NFS file handle",
    "ENOLCK": "no locks available",
    "ENOSYS": "system call not available",
}
_BY_NUMBER = {getattr(errno, name): text.encode() for name, text in _TEXTS.items()}


def text(number: int) -> bytes:
    """Give runit's words for an errno; a number that runit does not name is an `unknown error`."""
    return _BY_NUMBER.get(number, b"unknown error")


def words(error: OSError) -> str:
    """Give runit's words for what went wrong."""
    return text(error.errno or 0).decode()
