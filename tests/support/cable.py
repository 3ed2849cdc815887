"""A program: a cable between an interface of this network and one of a namespace, both of which it makes: cable.py NEAR FAR NAMESPACE.

What one end sends, the other receives. USR1 pulls it out, USR2 puts it back. Its process id is written to /run/cable.pid once it
carries. Taps joined by hand rather than a veth: a tap needs no module, and its carrier can be taken away.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
from pathlib import Path

_SET_INTERFACE, _SET_CARRIER = 0x400454CA, 0x400454E2  # TUNSETIFF, TUNSETCARRIER
_TAP, _NO_HEADER = 0x0002, 0x1000


def _tap(name: str) -> int:
    """Make the interface `name`, and give a descriptor that reads what it sends."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(descriptor, _SET_INTERFACE, struct.pack("16sH22x", name.encode(), _TAP | _NO_HEADER))
    return descriptor


def main(near: str, far: str, namespace: str) -> None:
    """Carry until the process ends."""
    ends = (_tap(near), _tap(far))

    def carry(number: int, frame: object) -> None:
        for end in ends:
            fcntl.ioctl(end, _SET_CARRIER, struct.pack("i", number == signal.SIGUSR2))

    signal.signal(signal.SIGUSR1, carry)
    signal.signal(signal.SIGUSR2, carry)
    subprocess.run(["ip", "link", "set", far, "netns", namespace], check=True)
    subprocess.run(["ip", "-n", namespace, "link", "set", far, "up"], check=True)
    Path("/run/cable.pid").write_text(str(os.getpid()))
    while True:
        for end in select.select(ends, [], [])[0]:
            frame = os.read(end, 65536)
            try:
                os.write(ends[1 - ends.index(end)], frame)
            except OSError:  # the interface at the other end is down: the frame is lost, as on every cable
                continue


if __name__ == "__main__":
    main(*sys.argv[1:])
