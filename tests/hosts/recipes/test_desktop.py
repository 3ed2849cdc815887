"""The examples' desktop: an X session that is kept running and guarded; as root on a host of its own."""

from __future__ import annotations

import pytest
from support import oracle, waiting

from .conftest import World

ASKED = "DISPLAY=:1 xdotool search --onlyvisible --name 'Passphrase Request'"


@pytest.mark.shows("recipes", "joeuserX", "seen")
def test_the_window_manager_comes_after_the_passphrase_and_the_session_again_when_it_ends(world: World) -> None:
    for program, package in {
        "Xvfb": "xvfb",
        "xinit": "xinit",
        "evilwm": "evilwm",
        "ssh-askpass": "ssh-askpass",
        "xdotool": "xdotool",
    }.items():
        oracle.program(program, package=package)
    world.host.add_user("joeuser", number=0)
    world.sh("mkdir .ssh && ssh-keygen -q -t ed25519 -N 'open sesame' -f .ssh/id_ed25519", user="joeuser")
    world.provision("desktop", "joeuserX")
    world.host.run("mount", "-t", "tmpfs", "-o", "mode=1777", "tmp", "/tmp")
    world.sh("mkdir -m 1777 /tmp/.X11-unix")  # as every boot makes it
    world.boot()

    first = _ask(world)
    world.sh("DISPLAY=:1 xdotool key Escape", check=False)  # joe does not know it: no session, and the X server goes at once
    waiting.until(lambda: world.running("joeuserX") != first, what="the next session")
    second = _ask(world)
    world.sh("DISPLAY=:1 xdotool type 'open sesame' && DISPLAY=:1 xdotool key Return")
    manager = world.until("pgrep -x -u joeuser evilwm", what="the window manager")
    agent = world.sh(f"tr '\\0' '\\n' </proc/{manager}/environ | grep SSH_AUTH_SOCK").strip()
    assert "ED25519" in world.sh(f"{agent} ssh-add -l", user="joeuser")
    assert world.running("joeuserX") == second

    world.sh(f"kill {manager}")
    waiting.until(lambda: world.running("joeuserX") != second, what="the next session")
    _ask(world)
    waiting.until(lambda: world.sh("pgrep -c -x -u joeuser ssh-agent", check=False) == "1\n", what="only the new session's agent")
    world.sh("sv -v -w 20 down joeuserX")
    world.until("pgrep -u joeuser >/dev/null || echo nobody", what="the end of all of it")


def _ask(world: World) -> int:
    """Wait until the passphrase is asked for, with no window manager there; give the service's pid."""
    world.until(ASKED, what="the question for the passphrase")
    assert world.sh("pgrep -l -x evilwm", check=False) == ""
    return world.running("joeuserX")
