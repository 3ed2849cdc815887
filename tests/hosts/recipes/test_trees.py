"""The examples' groups of services: trees within the tree, stopped and started as one; as root on a host of its own."""

from __future__ import annotations

import pytest

from .conftest import World

FETCH, PUBLISH = "/etc/sv/camera/service/fetch", "/etc/sv/camera/service/publish"
SCANNER = "/etc/sv/scanner/service/fetch"


def gone(world: World, *pids: int) -> bool:
    """Whether none of these processes is left."""
    return world.sh(f"for pid in {' '.join(map(str, pids))}; do [ ! -d /proc/$pid ] || echo $pid; done") == ""


@pytest.fixture
def cluster(world: World) -> World:
    world.host.add_user("peter", number=0)
    world.provision("cluster", "camera", "scanner", users=("peter",))
    world.boot()
    for name in ("camera", "scanner"):
        world.running(name)
    return world


@pytest.mark.shows("recipes", "camera, scanner", "seen")
def test_a_group_is_up_when_all_of_it_is_of_use_and_down_when_nothing_is_left(cluster: World) -> None:
    for name in ("camera", "scanner"):
        assert cluster.sh(f"sv -v -w 60 up {name}").startswith(f"ok: run: {name}: ")
    for _ in range(2):
        inner = [cluster.running(path) for path in (FETCH, PUBLISH)]
        assert cluster.sh("sv -v -w 60 down camera").startswith("ok: down: camera: ")
        assert gone(cluster, *inner), "no orphan"
        # A start at once, with nothing there yet that says how the inner services are.
        cluster.sh(f"rm -rf {FETCH}/supervise {PUBLISH}/supervise {FETCH}/ready {PUBLISH}/ready")
        assert cluster.sh("sv -v -w 60 up camera").startswith("ok: run: camera: ")
        assert cluster.sh(f"ls {FETCH}/ready {PUBLISH}/ready") == f"{FETCH}/ready\n{PUBLISH}/ready\n", "it waited for all of them"
        assert set(inner).isdisjoint({cluster.running(path) for path in (FETCH, PUBLISH)})


@pytest.mark.shows("recipes", "camera, scanner", "seen")
def test_groups_may_share_one_directory_of_control_scripts(cluster: World) -> None:
    assert cluster.sh("readlink /etc/sv/scanner/control/t") == "/etc/sv/camera/control/t\n"
    camera, scanner = cluster.running(FETCH), cluster.running(SCANNER)
    assert cluster.sh("sv -v -w 60 down scanner").startswith("ok: down: scanner: ")
    assert gone(cluster, scanner), "no orphan"
    assert cluster.running(FETCH) == camera, "the other group is none of its business"
    assert cluster.sh("sv -v -w 60 up scanner").startswith("ok: run: scanner: ")
    assert cluster.running(SCANNER) != scanner


@pytest.mark.shows("recipes", "joeuser, kburdis, peter", "seen")
def test_a_persons_group_ends_whole_and_starts_at_once(cluster: World) -> None:
    tree = cluster.running("runsvdir-peter")
    assert cluster.sh(f"stat -c %U /proc/{tree}") == "peter\n"
    assert "runsvdir -P /home/peter/.config/runit/default" in cluster.sh(f"tr '\\0' ' ' </proc/{tree}/cmdline")
    cluster.sh(
        "mkdir -p .config/runit/sv/mine && cd .config/runit && printf '#!/bin/sh\\nexec sleep 86400\\n' >sv/mine/run"
        " && chmod +x sv/mine/run && ln -s ../sv/mine default/",
        user="peter",
    )
    mine = cluster.running("mine", user="peter")
    assert cluster.sh(f"stat -c %U /proc/{mine}") == "peter\n"
    assert cluster.sh("sv -v -w 60 down runsvdir-peter").startswith("ok: down: runsvdir-peter: ")
    assert gone(cluster, mine), "no orphan"
    assert cluster.sh("sv -v -w 60 up runsvdir-peter").startswith("ok: run: runsvdir-peter: ")
    assert cluster.running("mine", user="peter") != mine
