"""A process that only holds FIFOs open: to logs, supervise/control and supervise/ok.

A service that writes to a FIFO without any reader is killed by SIGPIPE, and what the FIFO holds, lines or letters, is gone at its last
close; a logger that reads from one without any writer ends. Supervisor and logger each have it open, and may die at the same instant;
the keeper must not have it, since the descriptor table of every service would be as large as its own. So its child does.

An open supervise/ok says that somebody supervises. As long as there is a keeper that is so, or will be in a moment: who asks in between
two supervisors is not told that there is none.
"""

from __future__ import annotations

import _signal
import _socket
import os
import time

from ..wire import keeper as wire
from . import descriptors, process
from .channel import close_all, received_fds
from .title import Title, name_process

NAME = b"fifo-holder"
LINGER_SECONDS = 60.0
"""How long the FIFOs are held after the keeper's death: init has started the next supervisor by then, which starts another holder."""


def fork_holder() -> _socket.socket:
    """Start a holder, which ends with us or soon after.

    Gives our end of the conversation: HOLD and VOUCH with descriptors of FIFOs, and RELEASE, which is answered.
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
    vouched: dict[int, list[int]] = {}
    while True:
        data, ancillary, _flags, _address = sock.recvmsg(wire.SIZE, 64, _socket.MSG_CMSG_CLOEXEC)
        if not data:
            break
        record, fds = wire.unpack(data), received_fds(ancillary)
        if record.op == wire.VOUCH:
            previous = vouched.pop(record.slot, [])
            vouched[record.slot] = fds
        else:
            previous = held.pop(record.slot, []) + fds
            if record.op == wire.HOLD:
                held[record.slot] = [_open_again(fd, os.O_RDONLY if record.value else os.O_RDWR) for fd in fds]
            else:
                previous += vouched.pop(record.slot, [])
        close_all(previous)
        if record.op == wire.RELEASE:
            sock.send(wire.pack(wire.Record(wire.RELEASED, slot=record.slot)), _socket.MSG_NOSIGNAL)
    for fds in vouched.values():
        close_all(fds)
    if held:
        # The keeper was killed: whoever comes next has them open before long, and does not know of us, who must not be a writer.
        for fds in held.values():
            for fd in fds:
                _open_again(fd, os.O_RDONLY)
                os.close(fd)
        time.sleep(LINGER_SECONDS)


def _open_again(fd: int, flags: int) -> int:
    return os.open(f"/proc/self/fd/{fd}", flags | os.O_NONBLOCK | os.O_CLOEXEC)
