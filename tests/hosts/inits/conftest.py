"""A root directory of each init that can be booted, with the runtime in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from support.booted import prepare, with_busybox, with_openrc, with_runit, with_s6, with_systemd, with_sysvinit
from support.command import runit_provision
from support.lent_runtime import lay_runtime

SERVICE = "#!/bin/sh\nexec sleep 1111\n"
INITTAB = """\
id:2:initdefault:
l0:0:wait:/bin/sh -c "ps -eo args >/root/rc0.new; mv /root/rc0.new /root/rc0"
l2:2:wait:/bin/sh -c ": >/root/rc2"
"""


MAKE: dict[str, Callable[[Path], Path]] = {
    "systemd": with_systemd,
    "sysvinit": partial(with_sysvinit, inittab=INITTAB),
    "openrc": with_openrc,
    "busybox": with_busybox,
    "runit": with_runit,
    "s6": with_s6,
}
POWER_OFF = {
    "systemd": "systemctl poweroff",
    "sysvinit": "telinit 0",
    "openrc": "openrc-shutdown --poweroff now",
    "busybox": "kill -USR2 1",
    "runit": "runit-init 0",
    "s6": "s6-svscanctl -t /run/service",
}


@pytest.fixture(params=MAKE)
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    root = MAKE[request.param](prepare(tmp_path / request.param, services={"plain": SERVICE}))
    lay_runtime(root, prefix="/opt/runit")
    return root


@pytest.fixture
def boot() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def link_image(root: Path) -> None:
    assert runit_provision("init", "link", "--root", root, "--prefix", "/opt/runit", "--init", root.name).status == 0
