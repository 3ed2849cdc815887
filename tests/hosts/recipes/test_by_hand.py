"""Services tried and linked by hand, a user's own tree, and nested trees; as root on a host of its own."""

from __future__ import annotations

import pytest

from .conftest import PREFIX, World

CHATTY = "#!/bin/sh\necho it speaks\nexec sleep 1000\n"


@pytest.mark.shows("recipes", "any directory, by hand", "seen")
def test_a_service_without_a_log_says_its_words_where_runsv_was_started(world: World) -> None:
    world.host.write("/etc/sv/chatty/run", CHATTY, mode=0o755)
    world.sh("(runsv /etc/sv/chatty >/var/terminal 2>&1 </dev/null &)")
    assert world.until("cat /var/terminal") == "it speaks"
    world.sh("sv -v force-shutdown /etc/sv/chatty")


@pytest.mark.shows("recipes", "any directory, by hand", "seen")
@pytest.mark.parametrize("logger", ["rsvlog", "nsvlog"])
def test_a_log_is_a_link_and_its_directory_is_made_by_the_services_name_for_its_owner(world: World, logger: str) -> None:
    world.host.write("/etc/sv/chatty/run", CHATTY, mode=0o755)
    world.host.write("/etc/sv/chatty/log/env/RSVLOG_USER", "nobody\n")
    world.sh(f"ln -s {PREFIX}/bin/{logger} /etc/sv/chatty/log/run")
    world.sh("(runsv /etc/sv/chatty >/var/terminal 2>&1 </dev/null &)")
    stamped = world.logged("chatty", "it speaks")
    assert stamped.endswith(" it speaks")
    assert stamped != "it speaks"
    assert world.sh("stat -c %U /var/log/runit/chatty /var/log/runit/chatty/current") == "nobody\n" * 2
    assert world.sh("cat /var/terminal") == "", "with a log nothing comes to the terminal"
    world.sh("sv -v force-shutdown /etc/sv/chatty")


@pytest.mark.shows("recipes", "any directory, by hand", "seen")
def test_a_link_starts_and_its_removal_stops(world: World) -> None:
    world.host.write("/etc/sv/chatty/run", CHATTY, mode=0o755)
    world.boot()
    world.sh("ln -s /etc/sv/chatty /etc/service/")
    pid = world.running("chatty")
    world.sh("rm /etc/service/chatty")
    world.until(f"[ -d /proc/{pid} ] || echo gone")
    world.until("sv status /etc/sv/chatty | grep 'not running'")


@pytest.mark.shows("recipes", "users as a list", "seen")
def test_the_least_data_gives_each_user_a_tree_that_lives_again_when_it_dies(world: World) -> None:
    for number, user in enumerate(("apprun1", "apprun2")):
        world.host.add_user(user, number=number)
    world.host.write("/etc/recipes.json", '{"runit": {"users": ["apprun1", "apprun2"], "prefix": "/var/runit"}}')
    world.apply()
    assert world.sh("readlink /etc/service/runsvdir-apprun1") == "/etc/sv/runsvdir-apprun1\n"
    world.boot()
    before = world.running("runsvdir-apprun1")
    assert world.sh(f"stat -c %U /proc/{before}") == "apprun1\n"
    world.host.write("/home/apprun1/runit/mine/run", CHATTY, mode=0o755)
    world.sh("chown -R apprun1: /home/apprun1/runit/mine")
    world.sh("ln -s ../runit/mine service/", user="apprun1")
    service = world.running("mine", user="apprun1")
    assert world.sh(f"stat -c %U /proc/{service}") == "apprun1\n"
    world.until("grep -h speaks /home/apprun1/logs/runsvdir/current")
    world.sh(f"kill -9 {before}")
    world.until(f"sv status runsvdir-apprun1 | grep '^run: ' | grep -v 'pid {before})'")
    assert world.running("mine", user="apprun1") == service, "a tree that dies leaves its services running"
    assert world.sh("sv restart mine", user="apprun1").startswith("ok: run: mine: (pid ")
    assert world.running("mine", user="apprun1") != service
    assert world.sh("sv stop mine", user="apprun1").startswith("ok: down: mine: ")
    assert world.sh("sv start mine", user="apprun1").startswith("ok: run: mine: (pid ")


@pytest.mark.shows("recipes", "ticker, flaky, vpn, prepare, cluster", "seen")
def test_a_nested_tree_ends_whole_and_starts_at_once(world: World) -> None:
    world.host.add_user("apprun1", number=0)
    world.host.add_user("apprun2", number=1)
    world.provision("app1", "heartbeat", users=("apprun1", "apprun2"))
    world.boot()
    front = world.running("/home/apprun1/service/cluster/service/front", user="apprun1")
    back = world.running("/home/apprun1/service/cluster/service/back", user="apprun1")
    assert world.sh("sv -v -w 60 down cluster", user="apprun1").startswith("ok: down: cluster: ")
    left = world.sh(f"for pid in {front} {back}; do [ ! -d /proc/$pid ] || echo $pid; done")
    assert left == "", "no orphan"
    world.sh("sv up cluster", user="apprun1")
    assert world.running("/home/apprun1/service/cluster/service/back", user="apprun1") != back
    assert world.sh("sv -v -w 60 up cluster", user="apprun1").startswith("ok: run: cluster: ")
    assert world.running("/home/apprun1/service/cluster/service/front", user="apprun1") != front
