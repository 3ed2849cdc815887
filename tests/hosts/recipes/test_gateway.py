"""The examples' gateway: fw configures what the files say, once more for each notification; as root on a host of its own."""

from __future__ import annotations

from support import oracle

from .conftest import PATH, World


def test_fw_configures_what_the_files_say_and_once_more_when_it_is_told_while_it_runs(world: World) -> None:
    oracle.program("ip", package="iproute2")
    for interface in ("eth0", "eth1"):
        world.sh(f"ip tuntap add dev {interface} mode tap")  # every kernel has these; they need no module
    world.provision("gateway", "fw")
    world.boot()
    world.logged("fw", "eth1 has 10.0.0.1/24")
    world.until("sv status fw | grep '^down: ' | grep -v 'want up'")
    assert "inet 10.0.0.1/24" in world.sh("ip -4 address show dev eth1")
    runs = world.times("fw", "eth1 has")
    assert runs == 1, "it shut itself off"
    # A file that is a fifo holds the next run, from the moment that it is opened on both sides until the writer closes it.
    line = "interface=eth0 address=10.1.0.9/24 router=10.1.0.1"
    world.sh(f"""
        mkdir -p /run/fw && mkfifo /run/fw/dhcp_eth0.ipconf && sv up fw && exec 3>/run/fw/dhcp_eth0.ipconf
        sv up fw && sv up fw
        rm /run/fw/dhcp_eth0.ipconf && echo {line} >/run/fw/dhcp_eth0.ipconf
        echo {line} >&3
    """)
    world.until("sv status fw | grep '^down: ' | grep -v 'want up'")
    assert world.times("fw", "eth1 has") == runs + 2, "the run that was told, and exactly one more"
    assert "inet 10.1.0.9/24" in world.sh("ip -4 address show dev eth0")
    assert world.sh("ip route show default").startswith("default via 10.1.0.1 dev eth0")


def test_a_lease_comes_through_the_handler_to_fw_and_goes_with_the_link(world: World) -> None:
    oracle.program("busybox", package="busybox")
    for interface in ("eth0", "eth1", "lan"):
        world.sh(f"ip tuntap add dev {interface} mode tap")
    # A cable and a router: what one tap sends, the other receives; the router's end lives in a network of its own.
    world.sh("ip netns add router")
    world.host.write("/var/cable.py", CABLE)
    world.host.start("/usr/bin/python3", "/var/cable.py", env={"PATH": PATH})
    world.until("ip netns exec router ip link show lan; ip link show eth0 | grep LOWER_UP")
    world.sh("ip netns exec router ip address add 10.1.0.1/24 dev lan")
    world.host.write(
        "/etc/udhcpd.conf", "start 10.1.0.20\nend 10.1.0.20\ninterface lan\noption subnet 255.255.255.0\noption router 10.1.0.1\n"
    )
    world.sh("mkdir -p /var/lib/misc && touch /var/lib/misc/udhcpd.leases")
    world.host.start("ip", "netns", "exec", "router", "busybox", "udhcpd", "-f", "/etc/udhcpd.conf", env={"PATH": PATH})
    world.provision("gateway", "fw", "dhcp", "dhcp_pinger")
    world.boot()
    assert world.until("cat /run/fw/dhcp_eth0.ipconf") == "interface=eth0 address=10.1.0.20/24 router=10.1.0.1"
    world.until("ip -4 address show dev eth0 | grep 'inet 10.1.0.20/24'")
    world.until("ip route show default | grep 'via 10.1.0.1 dev eth0'")
    world.sh("busybox ping -c 1 -W 5 10.1.0.1")
    pid = world.running("dhcp_eth0")
    world.sh("ip netns exec router ip address del 10.1.0.1/24 dev lan")  # the router is gone: the pinger restarts dhcp
    world.sh("INSTANCE=eth0 PAUSE=0 /etc/sv/dhcp_pinger_eth0/ping", check=False)
    world.until(f"sv status dhcp_eth0 | grep '^run: ' | grep -v 'pid {pid})'")
    world.sh("sv -v -w 20 down dhcp_eth0")
    assert world.sh("ip -4 address show dev eth0") == ""
    assert world.sh("[ -e /run/fw/dhcp_eth0.ipconf ] || echo gone") == "gone\n"


CABLE = """
import fcntl, os, select, struct, subprocess
def tap(name):
    descriptor = os.open('/dev/net/tun', os.O_RDWR)
    fcntl.ioctl(descriptor, 0x400454CA, struct.pack('16sH22x', name.encode(), 0x1002))
    return descriptor
ends = tap('eth0'), tap('lan')
subprocess.run(['ip', 'link', 'set', 'lan', 'netns', 'router'], check=True)
subprocess.run(['ip', '-n', 'router', 'link', 'set', 'lan', 'up'], check=True)
subprocess.run(['ip', 'link', 'set', 'eth0', 'up'], check=True)
while True:
    for end in select.select(ends, [], [])[0]:
        os.write(ends[1 - ends.index(end)], os.read(end, 65536))
"""
