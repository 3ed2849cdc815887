"""The environment that this process was given, before the interpreter added to it."""

from __future__ import annotations

import posix


def restore() -> None:
    """Take what the interpreter added out of this process's environment, so that nothing that it starts gets it."""
    import os

    given = inherited()
    # What is given as `=A=b` python takes for a variable without a name, and no such can be removed; services get it as it is.
    for name in [name for name in os.environb if name and name not in given]:
        del os.environb[name]


def inherited() -> dict[bytes, bytes]:
    """Give the variables of execve(2), the first of those that stand there twice.

    posix.environ has an LC_CTYPE more: python sets it when it starts in the C locale (PEP 538). Without /proc that one is given too.
    """
    try:
        descriptor = posix.open(b"/proc/self/environ", posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:
        return dict(posix.environ)
    content = b""
    while chunk := posix.read(descriptor, 131072):
        content += chunk
    posix.close(descriptor)
    variables: dict[bytes, bytes] = {}
    for entry in content.split(b"\0"):
        equals = entry.find(b"=", 1)  # a name may begin with one
        if equals > 0:
            variables.setdefault(entry[:equals], entry[equals + 1 :])
    return variables
