"""The examples' application host: what a user's services do, by the user's own hands; as root on a host of its own."""

from __future__ import annotations

import pytest

from .conftest import World


@pytest.mark.shows("recipes", "ticker, flaky, vpn, prepare, cluster", "seen")
def test_a_users_services_restart_stay_down_and_rotate_as_the_data_say(world: World) -> None:
    user = "apprun1"
    for number, name in enumerate((user, "apprun2")):
        world.host.add_user(name, number=number)
    world.provision("app1", users=(user, "apprun2"))
    world.boot()

    ticker = world.running("ticker", user=user)
    assert world.sh(f"stat -c %U /proc/{ticker}") == f"{user}\n"
    logs = f"/home/{user}/logs"
    assert world.until(f"grep -h number {logs}/ticker/current | head -n 1").endswith(" ticker good day, number 1")
    assert world.sh(f"grep -c debug {logs}/ticker/current", check=False) == "0\n"
    assert "t24h" in world.sh(f"cat {logs}/ticker/config").split(), "rotated daily"
    assert world.sh("sv restart ticker", user=user).startswith("ok: run: ticker: (pid ")
    assert world.sh("sv stop ticker", user=user).startswith("ok: down: ticker: ")
    assert world.sh("sv status ticker", user=user).startswith("down: ticker: ")
    assert world.sh("sv start ticker", user=user).startswith("ok: run: ticker: (pid ")
    world.until("sv status prepare | grep '^down: ' | grep -v 'want up'", user=user)
    assert world.sh(f"grep -c 'prepared at' {logs}/prepare/current") == "1\n"

    down = world.until("sv status vpn | grep 'run: log: '", user=user)
    assert down.startswith("down: vpn: ")
    assert world.sh("sv start vpn", user=user).startswith("ok: run: vpn: (pid ")
    world.sh(f"sv -v -w 60 restart runsvdir-{user}")  # as a boot does
    down = world.until("sv status vpn | grep 'run: log: '", user=user)
    assert down.startswith("down: vpn: "), "it starts when somebody says so, not at boot"

    said = world.until(f"grep -h 'stays down' {logs}/flaky/current")
    assert said.endswith("flaky ended 4 times, each within 30 s of the last, and stays down; sv up starts it")
    world.until("sv status flaky | grep '^down: ' | grep -v 'want up'", user=user)
    assert world.sh("sv start flaky", user=user).startswith("ok: run: flaky: (pid ")
