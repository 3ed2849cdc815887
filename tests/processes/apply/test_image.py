"""An image that is being built: its own accounts, its own root, and nothing that runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import oracle, waiting
from support.command import PROGRAM, runit_provision
from support.trees import Unit, grow, join

from runit_provision import apply, host, plan
from runit_provision.errors import HostError
from runit_provision.model.tree import Owner, Realm, RenderedTree

HOME = Realm("joe", "/home/joe")


@pytest.fixture
def image() -> Iterator[Path]:
    oracle.root("an image with accounts of its own")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "image")
        for name in ("etc", "var/lib", "srv", "home/joe"):
            (root / name).mkdir(parents=True)
        (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\njoe:x:4711:4712:Joe:/home/joe:/bin/sh\n")
        (root / "etc/group").write_text("root:x:0:\njoe:x:4712:\naudio:x:29:joe\n")
        os.chown(root / "home/joe", 4711, 4712)
        yield root  # its parent is closed to all but root, as a builder's folder may be


def provision(root: Path, tree: RenderedTree) -> apply.Report:
    with host.Machine(root) as machine, machine.lock():
        return apply.apply(plan.decide(tree, machine.observe(tree)), machine)


def test_an_image_is_filled_with_its_own_accounts_and_nothing_is_started(image: Path) -> None:
    tree = join(grow("/etc", [Unit("a")], owner=Owner("root", "audio")), grow(HOME.base, [Unit("b")], realm=HOME))
    report = provision(image, tree)
    assert (report.ok, report.calls, report.notes) == (True, [], [])
    assert (image / "etc/service/a").readlink() == Path("/etc/sv/a")
    owners = {path: (image / path).stat() for path in ("etc/sv/a/run", "home/joe/sv/b/run")}
    assert {path: (seen.st_uid, seen.st_gid) for path, seen in owners.items()} == {
        "etc/sv/a/run": (0, 29),
        "home/joe/sv/b/run": (4711, 4712),
    }
    assert (image / "var/lib/runit-provision/manifest.json").exists()
    with host.Machine(image) as machine:
        assert plan.decide(tree, machine.observe(tree)).empty


def test_an_absolute_link_of_an_image_leads_into_the_image(image: Path) -> None:
    (image / "etc/service").symlink_to("/srv/../../services")
    (image / "services").mkdir()
    tree = grow("/etc", [Unit("a")])
    tree = RenderedTree(tuple(node for node in tree.nodes if node.path != "/etc/service"), tree.services, tree.scanned)
    assert provision(image, tree).ok
    assert (image / "services/a").readlink() == Path("/etc/sv/a")


def test_an_account_that_only_the_builder_knows_is_unknown(image: Path) -> None:
    with pytest.raises(HostError, match="no such account: daemon"):
        provision(image, grow("/etc", [Unit("a")], owner=Owner("daemon")))
    assert not (image / "etc/sv").exists()


def test_a_damaged_passwd_is_told_by_its_line(image: Path) -> None:
    with (image / "etc/passwd").open("a") as file:
        file.write("jim:x:two\n")
    with pytest.raises(HostError, match=rf"{image}/etc/passwd: line 3 is not as it has to be"):
        host.Machine(image)


def test_a_link_that_somebody_else_put_there_is_not_followed(image: Path) -> None:
    (image / "srv/mine").symlink_to("/home/joe")
    os.chown(image / "srv/mine", 4711, 4711, follow_symlinks=False)
    with pytest.raises(HostError, match="/srv/mine: is a symbolic link that others could have put there"):
        provision(image, grow("/srv/mine", [Unit("a")]))
    with pytest.raises(HostError, match="/home/joe: belongs to uid 4711, who could swap what lies in it"):
        provision(image, grow("/home/joe", [Unit("a")]))


def test_an_image_gets_byte_for_byte_what_the_same_data_make_of_a_live_host(tmp_path: Path) -> None:
    oracle.root("another account's tree")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        live, root, data = Path(folder, "live"), Path(folder, "image"), tmp_path / "data.yaml"
        for base in (live, Path(f"{root}{live}")):
            (base / "home").mkdir(parents=True)
            shutil.chown(base / "home", "nobody", "nogroup")
        (root / "etc").mkdir()
        for name in ("passwd", "group"):
            shutil.copy(f"/etc/{name}", root / "etc")
        places = f"service_directory: {live}/service\n  definitions: {live}/sv\n  log_directory: {live}/log\n  prefix: {live}/runtime"
        service = (
            "{command: [sleep, '1'], env: {A: b}, finish: \"#!/bin/sh\\n\", files: {f: {content: x, mode: '0600'}}, log: {keep: 3}}"
        )
        users = f"users: {{nobody: {{home: {live}/home, services: {{mine: {service}}}}}}}"
        data.write_text(f"runit:\n  {places}\n  runtime: none\n  profile: {live}/profile\n  services: {{a: {service}}}\n  {users}\n")
        library = {"RUNIT_PROVISION_LIB": str(tmp_path / "lib")}
        assert runit_provision("apply", "--data", data, env=library).status == 0
        assert runit_provision("apply", "--data", data, "--root", root).status == 0
        assert everything(Path(f"{root}{live}")) == everything(live)
        assert len(everything(live)) > 30
        remembered = [tmp_path / "lib", root / "var/lib/runit-provision"]
        live_records, image_records = (json.loads((folder / "manifest.json").read_bytes())["records"] for folder in remembered)
        assert live_records == image_records


def everything(base: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Every path with its kind, mode and owner, and its content or target."""
    found = {}
    for path in base.rglob("*"):
        seen = path.lstat()
        content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(base))] = (seen.st_mode, seen.st_uid, seen.st_gid, content)
    return found


def test_an_image_can_be_built_applied_again_and_rolled_back_where_no_proc_is_mounted(image: Path) -> None:
    data, lines = image.with_name("data.yaml"), image.with_name("road.sh")
    data.write_text("runit: {runtime: none, profile: false, users: {joe: {services: {worker: {command: [sleep, '9']}}}}}\n")
    changed = image.with_name("changed.yaml")
    changed.write_text(data.read_text().replace("'9'", "'10'"))
    road = f"{PROGRAM} {{}} --root {image}"
    apply, again = road.format("apply") + f" --data {data}", road.format("apply") + f" --data {changed}"
    lines.write_text(
        f"mount -t tmpfs none /proc && {apply} && {again} && {road.format('rollback')} && {road.format('check')} --data {data}"
    )
    done = subprocess.run(["unshare", "-m", "sh", lines], capture_output=True, text=True, check=False, timeout=waiting.DEADLINE * 3)
    assert (done.returncode, done.stderr) == (0, "")
    assert "sleep 9" in (image / "home/joe/runit/worker/run").read_text()
