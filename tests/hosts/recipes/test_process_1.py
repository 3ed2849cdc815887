"""The examples' stages, led by runit-init as process 1, with a login on a pseudo-terminal; as root on a host of its own."""

from __future__ import annotations

import contextlib
import signal

import pytest
from support import oracle, waiting
from support.terminal import Terminal

from .conftest import EXAMPLES, MY_DAEMON, PATH, PREFIX, World

HALTED, REBOOTED = -signal.SIGINT, -signal.SIGHUP
"""How a namespace ends whose process 1 halts or reboots it; reboot(2)."""


@pytest.mark.shows("recipes", "stages 1, 2, 3", "seen")
@pytest.mark.parametrize(("level", "end"), [("0", HALTED), ("6", REBOOTED)])
def test_three_stages_lead_a_host_from_boot_to_its_end(world: World, level: str, end: int) -> None:
    oracle.program("busybox", package="busybox")
    world.host.write(f"{PREFIX}/bin/my_daemon", MY_DAEMON, mode=0o755)
    world.host.run("mount", "--bind", f"{PREFIX}/bin", "/usr/local/bin")
    for stage in ("1", "2", "3"):
        world.host.write(f"/etc/runit/{stage}", (EXAMPLES / "stages" / stage).read_text(), mode=0o755)
    world.host.add_user("joeuser", number=0)
    world.host.run("chpasswd", stdin="joeuser:open sesame\n")
    world.provision("server", "getty", "my_daemon")
    with (
        contextlib.closing(Terminal(world.host, "/dev/console")) as console,
        contextlib.closing(Terminal(world.host, "/dev/tty2")) as tty2,
    ):
        new = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", f"{PREFIX}/bin/runit-init")
        host = world.host.start(*new, env={"PATH": PATH})
        console.wait_for(b"enter stage: /etc/runit/1")
        console.wait_for(b"enter stage: /etc/runit/2")
        world.logged("my_daemon", "started as nobody")
        tty2.log_in("joeuser", "open sesame")
        tty2.type("id -un; tty; cat /proc/1/comm")
        tty2.wait_for(rb"joeuser\r\n/dev/tty2\r\nrunit")
        process_1 = world.sh("pgrep -P $(pgrep -x unshare)").strip()
        world.sh(f"nsenter --target {process_1} --pid --mount runit-init {level}")
        console.wait_for(b"enter stage: /etc/runit/3")
        assert host.wait(waiting.DEADLINE) == end
    world.logged("my_daemon", "got TERM")
    assert world.sh("cat /etc/sv/*/supervise/stat") == "down\n" * 3
