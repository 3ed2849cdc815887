"""The examples' network daemons, each asked over its own protocol; as root on a host of its own."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Iterator

import pytest
from support import oracle, waiting

from .conftest import World, fresh

NTP_QUERY = """
import socket, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.settimeout(1)
    client.sendto(bytes([0b00_100_011]) + bytes(47), ('127.0.0.1', 123))  # version 4, a client's
    answer = client.recv(48)
leap, version, mode, stratum = answer[0] >> 6, answer[0] >> 3 & 7, answer[0] & 7, answer[1]
off = int.from_bytes(answer[40:44], 'big') - 2_208_988_800 - time.time()
print(leap, version, mode, stratum, abs(off) < 60)
"""


@pytest.fixture(scope="module")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The example's server with its network daemons, and a file for each of those that serve files."""
    for program, package in (
        ("busybox", "busybox"),
        ("inetd", "openbsd-inetd"),
        ("less", "less"),
        ("vsftpd", "vsftpd"),
        ("in.tftpd", "tftpd-hpa"),
        ("ntpd", "ntpsec"),
        ("vpnc", "vpnc"),
    ):
        oracle.program(program, package=package)
    for world in fresh(tmp_path_factory.mktemp("daemons")):
        world.host.run("mount", "-t", "tmpfs", "srv", "/srv")
        for protocol in ("www", "ftp", "tftp"):
            world.host.write(f"/srv/{protocol}/motd", f"served from {protocol}\n")
        world.host.write("/srv/www/index.html", "what httpd's check asks for\n")
        world.provision("server", "inetd", "httpd", "ftpd", "tftpd", "ntpd", "vpnc")
        world.boot()
        yield world


@pytest.mark.shows("recipes", "httpd, ftpd, tftpd", "seen")
def test_httpd_serves_a_file_and_its_check_holds_start_until_then(daemons: World) -> None:
    daemons.until("sv -w 60 check httpd | grep '^ok: run: httpd: '")
    assert daemons.sh("busybox wget -q -O - http://127.0.0.1/motd") == "served from www\n"


@pytest.mark.shows("recipes", "httpd, ftpd, tftpd", "seen")
def test_ftpd_serves_a_file(daemons: World) -> None:
    daemons.until("sv -w 60 check ftpd | grep '^ok: run: ftpd: '")
    assert daemons.sh("busybox ftpget 127.0.0.1 /var/by.ftp motd && cat /var/by.ftp") == "served from ftp\n"


@pytest.mark.shows("recipes", "httpd, ftpd, tftpd", "seen")
def test_tftpd_serves_a_file(daemons: World) -> None:
    daemons.until("grep ':0045 ' /proc/net/udp", what="tftpd to listen")
    daemons.sh("busybox tftp -g -r motd -l /var/by.tftp 127.0.0.1 2>/dev/null")
    assert daemons.sh("cat /var/by.tftp") == "served from tftp\n"


@pytest.mark.shows("recipes", "ntpd", "seen")
def test_ntpd_tells_the_time_as_the_clock_of_a_network_that_has_no_other(daemons: World) -> None:
    daemons.host.write("/var/query.py", NTP_QUERY)
    answer = daemons.until("python3 /var/query.py | grep -v '^3 '", what="a clock that is set")
    assert answer == "0 4 4 5 True", "no leap second, version 4, a server's, the stratum of an orphan, and the right time"


@pytest.mark.shows("recipes", "inetd", "seen")
def test_inetd_serves_a_connection_and_its_log_is_paged_and_followed(daemons: World) -> None:
    daemons.running("inetd")
    daemons.until("grep ':0007 ' /proc/net/tcp", what="inetd to listen")
    follower = subprocess.Popen(daemons.host.command("/etc/sv/inetd/w_log"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert follower.stdout is not None
    try:
        _hear(follower.stdout.fileno(), b"server=/bin/cat")
        assert daemons.sh("echo 'is it me?' | busybox nc -w 10 127.0.0.1 7") == "is it me?\n"
        _hear(follower.stdout.fileno(), b"execv /bin/cat")
    finally:
        follower.kill()
        follower.stdout.close()
        follower.wait()
    for _ in range(10):  # more lines than a terminal has
        daemons.sh("echo again | busybox nc -w 10 127.0.0.1 7")
    daemons.sh("sv -v down inetd && sv -v up inetd")
    daemons.until("grep -c server=/bin/cat /var/log/runit/inetd/current | grep -x 2", what="inetd to say that it has started once more")
    _page(daemons)


def _page(daemons: World) -> None:
    """Page the log on a terminal: its first line comes first, its last after a key, and another key ends it."""
    master, slave = os.openpty()
    words = daemons.host.command("setsid", "--ctty", "--wait", "env", "TERM=linux", "LESS=", "/etc/sv/inetd/p_log")
    pager = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    try:
        first = _hear(master, b"server=/bin/cat")
        assert b"(END)" not in first
        os.write(master, b"G")
        assert b"server=/bin/cat" in _hear(master, b"(END)"), "what inetd said when it started once more"
        os.write(master, b"q")
        assert pager.wait(waiting.DEADLINE) == 0
    finally:
        pager.kill()
        pager.wait()
        os.close(master)


def _hear(descriptor: int, text: bytes) -> bytes:
    """Read until `text` has come; give all that came."""
    heard = bytearray()

    def came() -> bool:
        if select.select([descriptor], [], [], 0)[0]:
            heard.extend(os.read(descriptor, 4096))
        return text in heard

    waiting.until(came, what=f"{text!r}")
    return bytes(heard)


@pytest.mark.shows("recipes", "vpnc", "seen")
def test_vpnc_is_down_with_only_its_logger_running_until_somebody_starts_it(daemons: World) -> None:
    line = daemons.until("sv status vpnc | grep '; run: log: (pid '", what="vpnc's logger to run")
    assert line.startswith("down: vpnc: "), line
    daemons.sh("sv once vpnc")
    daemons.logged("vpnc", "gateway")
