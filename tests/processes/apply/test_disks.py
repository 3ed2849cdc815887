"""Disks that are full or may not be written, and two applies at once: real ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import oracle, waiting
from support.places import Place
from support.trees import Unit, grow

SCRIPT = """
import json, sys
from pathlib import Path
from support.places import Place
from support.trees import Unit, grow
from runit_provision.errors import ProvisionError

base, names, size = Path(sys.argv[1]), sys.argv[2].split(","), int(sys.argv[3])
place = Place(base)
place.library = Path(sys.argv[4])
try:
    place.apply(grow(base, [Unit(name, run=b"x" * size) for name in names]))
    error = ""
except ProvisionError as found:
    error = str(found)
print(json.dumps({"error": error, "paths": sorted(place.listing())}))
"""


def apply_in(disk: Path, library: Path, *, mount: str, names: str, size: int) -> dict[str, object]:
    """Apply in a mount namespace in which `disk` was mounted by the shell line `mount`."""
    oracle.root("mounts")
    unshare = oracle.program("unshare", package="util-linux")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
    line = f'{mount} && exec "$@"'
    program = [sys.executable, "-c", SCRIPT, str(disk), names, str(size), str(library)]
    done = subprocess.run(
        [unshare, "-m", "sh", "-c", line, "sh", *program], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_full_disk_is_told_and_leaves_the_host_as_it_was(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=256k,mode=755 none {disk}"
    found = apply_in(disk, tmp_path / "library", mount=mount, names="a,b,c,d,e", size=100_000)
    assert found["paths"] == []
    where, what = str(found["error"]).split(": No space left on device; ")
    assert where.startswith(f"data.yaml:3:1: runit.services: {disk}/sv/")
    assert where.endswith("/run")
    assert what == "make room on its filesystem (blocks or inodes), then apply again"


def test_a_disk_that_may_not_be_written_is_told_and_left_alone(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o ro,mode=755 none {disk}"
    found = apply_in(disk, tmp_path / "library", mount=mount, names="a", size=1)
    hint = "mount its filesystem for writing, then apply again"
    assert found == {"error": f"data.yaml:3:1: runit.services: {disk}/service: Read-only file system; {hint}", "paths": []}


def test_what_is_kept_may_lie_on_another_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    place = Place(tmp_path)
    mount = f"mount -t tmpfs -o mode=755 none {disk} && mkdir -p {disk}/sv/a && echo old >{disk}/sv/a/run"
    assert apply_in(disk, tmp_path / "library", mount=mount, names="a", size=3)["error"] == ""
    assert place.kept() == {"old\n"}


@pytest.mark.parametrize("round_", range(3))
def test_two_applies_at_once_follow_each_other(tmp_path: Path, round_: int) -> None:
    pids = []
    trees = [grow(tmp_path, [Unit(name, run=name.encode()) for name in names]) for names in ("abc", "bcd")]
    for tree in trees:
        pids.append(os.fork())
        if pids[-1] == 0:
            status = 1
            try:
                place = Place(tmp_path)
                for _ in range(5):
                    status = 0 if place.apply(tree, lock_timeout=60).ok else 1
            finally:
                os._exit(status)
    assert [waiting.ended(pid, deadline=200) for pid in pids] == [0, 0]
    place = Place(tmp_path)
    assert sorted(place.plan(tree).empty for tree in trees) == [False, True]
