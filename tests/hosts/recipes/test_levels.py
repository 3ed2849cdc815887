"""The examples' standby, which goes to another run level when the machine that it stands by for fails; as root on a host of its own."""

from __future__ import annotations

import pytest
from support import oracle, waiting

from .conftest import World

LEVELS = "/etc/runit/runsvdir"


def level(world: World) -> list[str]:
    """Give the current level and the one before."""
    return world.sh(f"cd {LEVELS} && readlink current previous", check=False).split()


@pytest.mark.shows("recipes", "watch, web, cron", "seen")
def test_a_level_is_left_by_itself_when_the_other_machine_fails_and_gone_back_to_by_hand(world: World) -> None:
    oracle.program("busybox", package="busybox")
    oracle.program("cron", package="cron")
    world.host.run("install", "-d", "-m", "1730", "/var/spool/cron/crontabs")
    world.host.run("rm", "-rf", "/etc/service", "/etc/runit")  # this host never had runit
    world.host.run("mount", "-t", "tmpfs", "srv", "/srv")
    world.host.write("/srv/www/index.html", "It is served.\n")
    world.host.write("/var/other/index.html", "The other one is there.\n")
    world.sh("ip address add 192.168.7.2/32 dev lo")
    start_other = "busybox httpd -p 192.168.7.2:80 -h /var/other"
    world.sh(start_other)
    world.provision("standby", "cron", "watch", "web")
    assert world.sh("readlink /etc/service") == "runit/runsvdir/current\n"
    world.boot()
    watching, common = world.running("watch"), world.running("cron")
    assert level(world) == ["default"]
    assert "unable to change to service directory" in world.sh("sv status web", check=False)

    world.sh("pkill -x -f 'busybox httpd -p 192.168.7.2:80 .*'")
    world.until("busybox wget -q -O - http://192.168.7.1/ | grep served", what="the work at its address")
    waiting.until(lambda: level(world) == ["takeover", "default"], what="the other level")
    world.until(f"[ -d /proc/{watching} ] || echo gone", what="the end of what only the old level had")
    assert world.running("cron") == common

    web = world.running("web")
    world.sh(start_other)
    assert world.sh("runsvchdir default") == "runsvchdir: default: now current.\n"
    assert level(world) == ["default", "takeover"]
    assert world.running("watch") != watching
    world.until(f"[ -d /proc/{web} ] || echo gone", what="the end of the work")
    world.until("ip address show dev lo | grep -q 192.168.7.1/ || echo gone", what="its address")
    assert world.running("cron") == common
