"""A process that only holds the reading ends of FIFOs: to logs, and of supervise/control.

A service that writes to a FIFO without any reader is killed by SIGPIPE, and what the FIFO holds, lines or letters, is gone at its last
close. Supervisor and logger each have it open, and may die at the same instant; the keeper must not have it, since the descriptor table
of every service would be as large as its own. So its child does, which is never a writer: a logger still reads to the end.
"""

from __future__ import annotations

import _signal
import _socket
import os
import time

from ..wire import keeper as wire
from . import descriptors, process
from .channel import received_fds
from .title import Title, name_process

NAME = b"fifo-holder"
LINGER_SECONDS = 60.0
"""How long the FIFOs are held after the keeper's death: init has started the next supervisor by then, which starts another holder."""


def fork_holder() -> _socket.socket:
    """Start a holder, which ends with us or soon after.

    Gives our end of the conversation: HOLD with descriptors of FIFOs, and RELEASE.
    """
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        try:
            _signal.set_wakeup_fd(-1)
            process.close_all_but(theirs.fileno())
            name_process(NAME)
            Title().show([NAME])
            _hold(theirs)
        finally:
            os._exit(0)
    theirs.close()
    return ours


def _hold(sock: _socket.socket) -> None:
    descriptors.allow_all()
    held: dict[int, list[int]] = {}
    while True:
        data, ancillary, _flags, _address = sock.recvmsg(wire.SIZE, 64, _socket.MSG_CMSG_CLOEXEC)
        if not data:
            break
        record = wire.unpack(data)
        previous = held.pop(record.slot, [])
        for fd in received_fds(ancillary):
            held.setdefault(record.slot, []).append(os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
            os.close(fd)
        for fd in previous:
            os.close(fd)
    if held:
        # The keeper was killed: whoever comes next has them open before long.
        time.sleep(LINGER_SECONDS)
