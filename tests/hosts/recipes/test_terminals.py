"""The examples' getty on a pseudo-terminal that stands where the console's terminal is; as root on a host of its own."""

from __future__ import annotations

import os
import select
from pathlib import Path

from support import oracle, waiting

from .conftest import World


def test_getty_asks_for_a_name_on_the_terminal_that_its_instance_names_and_again_after_it_ends(world: World) -> None:
    oracle.program("busybox", package="busybox")
    master, slave = os.openpty()
    try:
        if not Path("/dev/tty2").exists():
            oracle.absent("this machine has no /dev/tty2 to stand in for")
        world.host.run("mount", "--bind", os.ttyname(slave), "/dev/tty2")
        world.provision("server", "getty")
        world.boot()
        pid = world.running("getty_tty2")
        _prompt(master)
        world.sh("sv restart getty_tty2")
        assert world.running("getty_tty2") != pid
        _prompt(master)
    finally:
        os.close(master)
        os.close(slave)


def _prompt(master: int) -> None:
    """Wait until a login prompt came on the terminal."""
    seen = bytearray()

    def came() -> bool:
        if select.select([master], [], [], 0)[0]:
            seen.extend(os.read(master, 4096))
        return b"login: " in seen

    waiting.until(came, what="a login prompt")
