"""The examples' gateway: what services learn of their links, fw configures; as root on a host of its own, with a cable to another."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from support import cable, oracle

from .conftest import PATH, World


class Beyond:
    """What is at the other end of the cable in the gateway's interface `near`: a machine with an interface `far`."""

    def __init__(self, world: World, near: str) -> None:
        self._world = world
        world.sh("ip netns add beyond")
        world.host.write("/var/cable.py", Path(cable.__file__).read_text())
        world.host.start("/usr/bin/python3", "/var/cable.py", near, "far", "beyond", env={"PATH": PATH})
        world.until("cat /run/cable.pid", what="the cable")

    def sh(self, script: str) -> str:
        """Run shell lines there."""
        return self._world.sh(f"ip netns exec beyond sh -c {shlex.quote(script)}")

    def start(self, *argv: str) -> None:
        """Start a daemon there."""
        self._world.host.start("ip", "netns", "exec", "beyond", *argv, env={"PATH": PATH})

    def pull(self) -> None:
        """Pull the cable out."""
        self._world.sh("kill -USR1 $(cat /run/cable.pid)")

    def plug(self) -> None:
        """Put the cable back."""
        self._world.sh("kill -USR2 $(cat /run/cable.pid)")


def at_rest(world: World) -> None:
    """Wait until fw has shut itself off and nobody asks for it."""
    world.until("sv status fw | grep '^down: ' | grep -v 'want up'", what="fw to be down")


@pytest.mark.shows("recipes", "fw", "seen")
def test_fw_configures_what_the_files_say_and_once_more_when_it_is_told_while_it_runs(world: World) -> None:
    oracle.program("nft", package="nftables")
    for interface in ("eth0", "eth1"):
        world.sh(f"ip tuntap add dev {interface} mode tap")
    world.provision("gateway", "fw")
    world.boot()
    world.logged("fw", "address 10.0.0.1/24 dev eth1")
    at_rest(world)
    assert addresses(world) == {"lo 127.0.0.1/8", "eth1 10.0.0.1/24"}
    assert routes(world) == {"192.168.0.0/16 via 10.0.0.2 dev eth1"}
    world.sh("ip netns add untouched")
    said = world.sh("cd /etc/sv/fw && ip netns exec untouched nft -f conf/rules.nft && ip netns exec untouched nft list ruleset")
    assert world.sh("nft list ruleset") == said, "the rules are the file's"
    assert "masquerade" in said
    assert world.sh("cat /proc/sys/net/ipv4/ip_forward") == "1\n"
    assert runs(world) == 1, "it shut itself off"

    # A file that is a fifo holds the next run, from the moment that it is opened on both sides until the writer closes it.
    learned = "interface=eth0\naddress=10.1.0.9/24\nrouter=10.1.0.1"
    world.sh(f"""
        mkdir -p /run/fw && mkfifo /run/fw/dhcp_eth0.ipconf && sv up fw && exec 3>/run/fw/dhcp_eth0.ipconf
        sv up fw && sv up fw
        rm /run/fw/dhcp_eth0.ipconf && echo {shlex.quote(learned)} >/run/fw/dhcp_eth0.ipconf
    """)
    at_rest(world)
    assert runs(world) == 3, "the run that was told, and exactly one more"
    assert addresses(world) == {"lo 127.0.0.1/8", "eth1 10.0.0.1/24", "eth0 10.1.0.9/24"}
    assert routes(world) == {"192.168.0.0/16 via 10.0.0.2 dev eth1", "default via 10.1.0.1 dev eth0"}

    world.sh(
        "rm /run/fw/dhcp_eth0.ipconf; ip address add 10.9.9.9/24 dev eth1; ip route add default via 10.0.0.3 proto static; sv up fw"
    )
    world.until("ip -4 -o address show dev eth0 | grep -q . || echo none", what="eth0 without an address")
    at_rest(world)
    assert runs(world) == 4
    assert addresses(world) == {"lo 127.0.0.1/8", "eth1 10.0.0.1/24"}, "and nothing that no file says"
    assert routes(world) == {"192.168.0.0/16 via 10.0.0.2 dev eth1"}

    told = json.loads(world.host.read("/etc/recipes.json"))
    told["runit"]["services"]["fw"]["files"]["conf/inside.ipconf"]["content"] = "interface=eth1\naddress=10.0.7.1/24\n"
    world.host.write("/etc/recipes.json", json.dumps(told))
    world.apply()
    world.until("ip -4 address show dev eth1 | grep 10.0.7.1/24")
    at_rest(world)
    assert addresses(world) == {"lo 127.0.0.1/8", "eth1 10.0.7.1/24"}, "the data were changed, and applied"
    assert routes(world) == set()


def runs(world: World) -> int:
    """Tell how often fw ran."""
    return world.times("fw", "address 10.0.0.1/24 dev eth1")


def addresses(world: World) -> set[str]:
    """Give each interface with an address that it has."""
    return {" ".join(line.split()[1:4:2]) for line in world.sh("ip -4 -o address show").splitlines()}


def routes(world: World) -> set[str]:
    """Give the routes that the kernel did not make itself; whether the other end is there does not matter."""
    return {line.replace("linkdown", "").strip() for line in world.sh("ip -4 route show proto static").splitlines()}


@pytest.mark.shows("recipes", "dhcp_IF", "seen")
@pytest.mark.shows("recipes", "dhcp_pinger_IF", "seen")
@pytest.mark.shows("recipes", "ifplugd_IF", "seen")
def test_a_lease_goes_through_the_handler_to_fw_and_away_with_the_router_and_with_the_cable(world: World) -> None:
    oracle.program("busybox", package="busybox")
    oracle.program("ifplugd", package="ifplugd")
    beyond = Beyond(world, "eth0")
    world.sh("ip tuntap add dev eth1 mode tap")
    serve_leases(world, beyond)
    world.provision("gateway", "fw", "dhcp", "dhcp_pinger", "ifplugd")
    world.boot()
    assert world.until("cat /run/fw/dhcp_eth0.ipconf") == "interface=eth0\naddress=10.1.0.20/24\nrouter=10.1.0.1"
    world.until("ip route show default | grep 'via 10.1.0.1 dev eth0'")
    assert "eth0 10.1.0.20/24" in addresses(world)
    world.sh("busybox ping -c 1 -W 5 10.1.0.1")

    # Given back, by a letter that udhcpc takes for that: all that it brought is gone, until another letter asks again.
    world.sh("sv 2 dhcp_eth0")
    gone(world)
    world.sh("sv 1 dhcp_eth0")
    world.until("ip route show default | grep 'via 10.1.0.1 dev eth0'")

    # The router has gone, to come back with another address: the pinger finds out.
    pid = world.running("dhcp_eth0")
    world.running("ifplugd_eth0")
    beyond.sh("kill $(cat /run/udhcpd.pid) && ip address flush dev far")
    world.sh("sv term dhcp_pinger_eth0")
    world.logged("dhcp_pinger_eth0", "10.1.0.1 is gone: dhcp starts anew")
    world.until(f"sv status dhcp_eth0 | grep '^run: ' | grep -v 'pid {pid})'")
    gone(world)
    serve_leases(world, beyond, network="10.1.1")
    world.until("ip route show default | grep 'via 10.1.1.1 dev eth0'")

    # The cable is pulled: ifplugd takes dhcp down, whose finish takes the address back, even where no fw is.
    world.sh("rm /etc/service/fw")
    world.until("sv status /etc/sv/fw | grep 'not running'")
    beyond.pull()
    world.until("sv status dhcp_eth0 | grep '^down: '")
    gone(world)
    world.sh("ln -s /etc/sv/fw /etc/service/")
    beyond.plug()
    world.running("dhcp_eth0")
    world.until("ip route show default | grep 'via 10.1.1.1 dev eth0'")


@pytest.mark.shows("recipes", "dhcp_IF", "seen")
def test_a_lease_that_no_server_renews_is_lost_and_asked_for_anew(world: World) -> None:
    oracle.program("busybox", package="busybox")
    oracle.program("faketime", package="faketime")
    world.sh("mount -t tmpfs local /usr/local/bin")
    world.host.write("/usr/local/bin/busybox", HURRIED, mode=0o755)
    beyond = Beyond(world, "eth0")
    serve_leases(world, beyond)
    world.provision("gateway", "fw", "dhcp")
    world.boot()
    world.until("ip route show default | grep 'via 10.1.0.1 dev eth0'")
    pid = world.running("dhcp_eth0")
    beyond.sh("kill $(cat /run/udhcpd.pid)")
    gone(world)
    serve_leases(world, beyond, network="10.1.1")
    world.until("ip route show default | grep 'via 10.1.1.1 dev eth0'")
    assert world.running("dhcp_eth0") == pid


# For udhcpc time passes faster: the shortest lease that it accepts lasts two minutes.
HURRIED = """#!/bin/sh
export LD_PRELOAD='/usr/$LIB/faketime/libfaketime.so.1' FAKETIME='+0 x40'
exec /usr/bin/busybox "$@"
"""


def gone(world: World) -> None:
    """Wait until eth0 has neither file nor address nor route."""
    world.until("[ -e /run/fw/dhcp_eth0.ipconf ] || ip -4 -o address show dev eth0 | grep -q . || echo gone", what="no address")
    world.until("ip route show default | grep -q . || echo gone", what="no route")


def serve_leases(world: World, beyond: Beyond, *, network: str = "10.1.0") -> None:
    """Let what is beyond be the router of a `network` of 256 addresses, and lend one of them."""
    beyond.sh(f"ip address add {network}.1/24 dev far")
    lines = ["pidfile /run/udhcpd.pid", "interface far", f"start {network}.20", f"end {network}.20"]
    lines += [f"lease_file /run/{network}.leases", "option subnet 255.255.255.0", f"option router {network}.1", "option lease 60"]
    world.host.write("/etc/udhcpd.conf", "\n".join(lines) + "\n")
    world.host.write(f"/run/{network}.leases", "")
    beyond.start("busybox", "udhcpd", "-f", "/etc/udhcpd.conf")


@pytest.mark.shows("recipes", "zcip_IF", "seen")
def test_an_address_of_the_link_itself_is_found_and_given_up(world: World) -> None:
    oracle.program("avahi-autoipd", package="avahi-autoipd")
    Beyond(world, "eth2")
    world.provision("gateway", "fw", "zcip")
    world.boot()
    said = world.until("cat /run/fw/zcip_eth2.ipconf")
    found = world.until("ip -4 -o address show dev eth2 | awk '{print $4}'")
    assert found.startswith("169.254.")
    assert said == f"interface=eth2\naddress={found}"
    world.sh("sv -v down zcip_eth2")
    world.until("ip -4 -o address show dev eth2 | grep -q . || echo gone")
    assert world.sh("ls /run/fw") == "wanted\n"


@pytest.mark.shows("recipes", "supplicant_IF", "seen")
def test_the_supplicant_proves_who_it_is_and_comes_back_when_it_is_killed(world: World) -> None:
    oracle.program("wpa_supplicant", package="wpasupplicant")
    oracle.program("hostapd", package="hostapd")
    beyond = Beyond(world, "eth3")
    world.host.write("/etc/switch/users", '"gateway" PWD "only an example"\n')
    lines = ["interface=far", "driver=wired", "ieee8021x=1", "eap_server=1", "eap_user_file=/etc/switch/users", "use_pae_group_addr=1"]
    world.host.write("/etc/switch/conf", "\n".join(lines) + "\n")
    beyond.start("hostapd", "/etc/switch/conf")
    world.provision("gateway", "supplicant")
    world.boot()
    status = "wpa_cli -p /run/wpa_supplicant -i eth3 status"
    world.until(f"{status} | grep suppPortStatus=Authorized")
    assert "Supplicant PAE state=AUTHENTICATED" in world.sh(status)
    assert world.sh("stat -c %a /etc/sv/supplicant_eth3/wpa_supplicant.conf") == "600\n"
    pid = world.running("supplicant_eth3")
    world.sh("sv kill supplicant_eth3")
    world.until(f"sv status supplicant_eth3 | grep '^run: ' | grep -v 'pid {pid})'")
    world.until(f"{status} | grep suppPortStatus=Authorized")
