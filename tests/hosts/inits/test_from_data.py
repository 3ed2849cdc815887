"""Images that `apply --root` and `init link --root` build from data, never touched live, and what becomes of them at their boots."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from support import waiting
from support.booted import booted
from support.command import runit_provision

from .conftest import POWER_OFF, link_image

DATA = """\
runit:
  prefix: /opt/runit
  users:
    apprun1:
      manage: {uid: 4321}
      services:
        worker:
          run: |
            #!/bin/sh
            id -un
            trap 'kill -9 $!; seq 2000; echo told to end; exit 0' TERM
            while :; do sleep 2222 & wait; done
          finish:
            lines: echo finished
"""
WITNESS = "#!/bin/sh\nexec sleep 3333\n"
shows = pytest.mark.shows


@pytest.fixture
def image(root: Path, tmp_path: Path) -> Path:
    """An image of a user with a logged service."""
    (tmp_path / "data.yaml").write_text(DATA)
    (root / "home").mkdir()
    (root / "etc/shadow").write_text("root:*:19000::::::\n")
    made = runit_provision("apply", "--data", tmp_path / "data.yaml", "--root", root)
    assert made.status == 0, made.err
    link_image(root)
    return root


def log(image: Path) -> list[str]:
    """Give what the service wrote, without timestamps."""
    file = image / "home/apprun1/logs/worker/current"
    return [line.split(" ", 1)[1] for line in file.read_text().splitlines()] if file.exists() else []


@shows("inits", "{root}", "image never touched live", "users' services as users", "logs complete with finish")
def test_an_image_comes_up_at_its_first_boot_and_goes_down_in_order(image: Path, boot: ExitStack) -> None:
    box = boot.enter_context(booted(image))
    service = box.pid("sleep", "2222")
    assert box.run("ps", "-o", "user=", "-p", service).stdout == "apprun1\n"
    assert waiting.until(lambda: log(image), what="the first line of its log") == ["apprun1"]
    box.run(*POWER_OFF[image.name].split())
    over = (image / "root/rc0").exists if image.name == "sysvinit" else box.has_ended  # sysvinit's level does not halt by itself
    waiting.until(over, what="a host that is down")
    assert log(image) == ["apprun1", *map(str, range(1, 2001)), "told to end", "finished"]


def unit(image: Path) -> None:
    file = image / "etc/systemd/system/witness.service"
    file.write_text("[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep 3333\n")
    wants = image / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / file.name).symlink_to(f"../{file.name}")


def script(image: Path) -> None:
    file = image / "etc/init.d/witness"
    file.write_text("#!/sbin/openrc-run\nstart() { sleep 3333 & }\n")
    file.chmod(0o755)
    (image / "etc/runlevels/default/witness").symlink_to("/etc/init.d/witness")


def line(text: str) -> Callable[[Path], None]:
    def add(image: Path) -> None:
        with (image / "etc/inittab").open("a") as file:
            file.write(f"{text}\n")

    return add


def service(directory: str) -> Callable[[Path], None]:
    def add(image: Path) -> None:
        run = image / directory / "witness/run"
        run.parent.mkdir()
        run.write_text(WITNESS)
        run.chmod(0o755)

    return add


STARTS_A_WITNESS = {
    "systemd": unit,
    "openrc": script,
    "sysvinit": line("w:2:respawn:/bin/sleep 3333"),
    "busybox": line("::respawn:/bin/sleep 3333"),
    "runit": service("etc/runit/runsvdir/default"),
    "s6": service("etc/s6-linux-init/current/run-image/service"),
}
"""What starts at boot behind runsvdir, or beside it, and is none of ours."""


@shows("inits", "{root}", "gone after the next boot")
def test_what_was_unlinked_is_gone_after_the_next_boot(image: Path, boot: ExitStack) -> None:
    with booted(image) as box:
        box.pid("sleep", "2222")
        done = box.runit_provision("init", "unlink", "--prefix", "/opt/runit")
        assert (done.returncode, done.stderr) == (0, "")
    shutil.rmtree(image / "etc/service/plain/supervise")
    before = log(image)
    STARTS_A_WITNESS[image.name](image)
    box = boot.enter_context(booted(image))
    box.pid("sleep", "3333")
    box.run(*POWER_OFF[image.name].split())
    waiting.until((image / "root/rc0").exists if image.name == "sysvinit" else box.has_ended, what="a host that is down")
    # In its whole second life, from boot to power-off, nothing has supervised the service.
    assert not (image / "etc/service/plain/supervise").exists()
    assert log(image) == before
