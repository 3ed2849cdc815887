"""The examples' getty, ngetty, nmeter and gpm on pseudo-terminals in the places of consoles and mouse; as root on a host of its own."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import tty
from collections.abc import Iterator

import pytest
from support import oracle
from support.terminal import Terminal

from .conftest import World


@pytest.mark.shows("recipes", "getty_TTY", "seen")
def test_each_getty_asks_for_a_name_on_the_terminal_that_its_name_ends_in_and_again_after_it_ends(world: World) -> None:
    oracle.program("busybox", package="busybox")
    with (
        contextlib.closing(Terminal(world.host, "/dev/tty2")) as second,
        contextlib.closing(Terminal(world.host, "/dev/tty3")) as third,
    ):
        world.provision("server", "getty")
        world.boot()
        pid = world.running("getty_tty2")
        second.wait_for(b"login: ")
        third.wait_for(b"login: ")
        other = world.running("getty_tty3")
        world.sh("sv restart getty_tty2")
        assert world.running("getty_tty2") != pid
        second.wait_for(b"login: ")
        assert world.running("getty_tty3") == other
        os.write(third.master, b"joeuser\n")
        third.wait_for(b"Password: ")
        world.host.run("test", "!", "-e", "/etc/sv/getty_tty3/log")


@pytest.mark.shows("recipes", "ngetty", "seen")
def test_ngetty_asks_on_every_console_and_lets_in_who_knows_the_password(world: World) -> None:
    oracle.program("ngetty", package="ngetty")
    # A pseudo-terminal that is hung up forgets what nobody has read yet, which a console does not.
    world.host.write("/etc/ngetty/Conf", "=nohangup\n")
    world.host.add_user("joeuser", number=0)
    world.host.run("chpasswd", stdin="joeuser:open sesame\n")
    with (
        contextlib.closing(Terminal(world.host, "/dev/tty2")) as second,
        contextlib.closing(Terminal(world.host, "/dev/tty3")) as third,
    ):
        world.provision("desktop", "ngetty")
        world.boot()
        second.wait_for(b"login: ")
        third.log_in("joeuser", "open sesame")
        pid = world.running("ngetty")
        third.type("echo on $(tty)")
        third.wait_for(b"on /dev/tty3")
        third.type("exit")
        third.wait_for(b"login: ")
        assert world.running("ngetty") == pid, "the next login is ngetty's work, not the supervisor's"


@pytest.mark.shows("recipes", "nmeter", "seen")
def test_nmeter_writes_the_load_to_its_console_once_a_second(world: World) -> None:
    with contextlib.closing(Terminal(world.host, "/dev/tty9")) as console:
        world.provision("server", "nmeter")
        world.boot()
        line = rb"(\d\d:\d\d:\d\d) load \d+\.\d\d, \d+ kB available\r\n"
        assert console.wait_for(line)[1] != console.wait_for(line)[1]


@pytest.mark.shows("recipes", "gpm", "seen")
def test_gpm_tells_a_program_on_the_console_where_the_mouse_goes(world: World) -> None:
    oracle.program("gpm", package="gpm")
    world.sh(OWN_DEV)
    world.host.write("/var/client.py", MOUSE_CLIENT)
    with contextlib.closing(Terminal(world.host, "/dev/input/mice")) as mouse, _answering(mouse):
        world.provision("server", "gpm")
        world.boot()
        pid = world.running("gpm")
        world.until("[ -S /dev/gpmctl ] && echo there")
        world.host.start("/usr/bin/python3", "/var/client.py")
        column = int(world.until("cut -d ' ' -f 3 /var/event.0"))
        os.write(mouse.master, bytes([0b0000_1000, 100, 0, 0]))  # a hundred steps to the right, no button
        right, down, at = (int(word) for word in world.until("cat /var/event.1").split())
        assert right > 0
        assert (down, at) == (0, column + right)
        assert world.running("gpm") == pid
        assert world.sh("cat /var/log/runit/gpm/current") == "", "the log has nothing of what only debugging needs"


@contextlib.contextmanager
def _answering(mouse: Terminal) -> Iterator[None]:
    """Acknowledge each byte that the mouse is told, and say that it has a wheel, as an intelligent mouse does."""
    tty.setraw(mouse.master)
    done = threading.Event()

    def answer() -> None:
        while not done.is_set():
            if select.select([mouse.master], [], [], 0.05)[0]:
                for command in os.read(mouse.master, 64):
                    os.write(mouse.master, b"\xfa\x03" if command == 0xF2 else b"\xfa")

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


# gpm makes its socket in /dev, which this machine's hosts share.
OWN_DEV = """
mkdir /run/dev && mount -t tmpfs dev /run/dev && mkdir /run/dev/pts /run/dev/input && touch /run/dev/input/mice
cp -a /dev/null /dev/zero /dev/urandom /dev/tty /dev/tty0 /dev/console /run/dev/
mount --bind /dev/pts /run/dev/pts && mount --move /run/dev /dev
"""
# What libgpm does: a struct Gpm_Connect that asks for everything, then a struct Gpm_Event at once and for each thing that happens.
MOUSE_CLIENT = """
import os, pathlib, socket, struct
with socket.socket(socket.AF_UNIX) as client:
    client.connect('/dev/gpmctl')
    client.sendall(struct.pack('HHHHii', 0xffff, 0, 0, 0xffff, os.getpid(), 0))
    for number in range(2):
        buttons, _, console, right, down, column, line, kind = struct.unpack_from('BBHhhhhi', client.recv(28, socket.MSG_WAITALL))
        pathlib.Path(f'/var/event.{number}').write_text(f'{right} {down} {column}')
"""
