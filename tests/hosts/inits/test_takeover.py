"""A host whose services C's runsvdir has: ours takes them over where they run, and from then on they are its own."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from support import oracle, waiting
from support.booted import booted, prepare, with_systemd
from support.lent_runtime import lay_runtime

UNIT = """\
[Service]
ExecStart=/usr/bin/runsvdir -P /etc/service
KillMode=process
Restart=always
[Install]
WantedBy=multi-user.target
"""
SERVICE = """\
#!/bin/sh
echo $$ >>starts
trap 'kill -9 $!; echo last; exit 0' TERM
while :; do sleep 3333 & wait; done
"""


@pytest.mark.shows("inits", "systemd", "takes over a tree of C's")
def test_services_of_a_c_tree_keep_their_pids_and_end_with_ours(tmp_path: Path, boot: ExitStack) -> None:
    oracle.program("runsvdir", package="runit")
    root = with_systemd(prepare(tmp_path / "systemd", services={"plain": SERVICE}))
    home = root / "etc/service/plain"
    (home / "log/main").mkdir(parents=True)
    (home / "log/run").write_text("#!/bin/sh\nexec /usr/bin/svlogd ./main\n")
    (home / "finish").write_text("#!/bin/sh\necho over >>finished\n")
    for script in ("log/run", "finish"):
        (home / script).chmod(0o755)
    (root / "etc/systemd/system/runit.service").write_text(UNIT)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir()
    (wants / "runit.service").symlink_to("/etc/systemd/system/runit.service")
    lay_runtime(root, prefix="/opt/runit")

    box = boot.enter_context(booted(root))
    box.pid("sleep", "3333")
    before = (home / "starts").read_text()
    logger = box.pid("svlogd", "./main")
    refused = box.runit_provision("init", "link", "--prefix", "/opt/runit")
    assert refused.returncode == 1
    assert (
        "`systemctl disable --now runit.service` first; what goes on under a runsv that it leaves behind is taken over"
        in refused.stderr
    )
    assert box.run("systemctl", "disable", "--now", "runit.service").returncode == 0
    left = box.pids("runsv", "plain")
    assert len(left) == 1

    by_hand = box.run("sh", "-c", "setsid /usr/bin/runsvdir -P /etc/service >/dev/null 2>&1 </dev/null & echo $!").stdout.strip()
    waiting.until(lambda: box.pids("/usr/bin/runsvdir", "-P"), what="a runsvdir that no unit starts")
    refused = box.runit_provision("init", "link", "--prefix", "/opt/runit")
    assert refused.returncode == 1
    assert f"/etc/service: /usr/bin/runsvdir supervises it already, as process {by_hand}; `kill {by_hand}` first; " in refused.stderr
    assert not (root / "etc/systemd/system/runit-provision.service").exists()
    box.run("kill", by_hand)
    waiting.until(lambda: not box.pids("/usr/bin/runsvdir", "-P"), what="its end")

    linked = box.runit_provision("init", "link", "--prefix", "/opt/runit")
    assert (linked.returncode, linked.stderr) == (0, "")
    waiting.until(lambda: not box.pids("runsv", "plain"), what="C's runsv is relieved")
    waiting.until(lambda: box.run("sv", "status", "plain").stdout.startswith("run: plain: "), what="ours supervises it")
    said = box.run("journalctl", "--quiet", "--output=cat", "--unit=runit-provision.service").stdout
    assert f"taking over from process {left[0]}, whose runsvdir is gone" in said
    assert box.pid("svlogd", "./main") == logger
    first = box.runsvdir()
    assert box.run("kill", "-KILL", first).returncode == 0
    box.runsvdir(but=first)
    waiting.until(lambda: box.run("sv", "status", "plain").stdout.startswith("run: plain: "), what="the next one supervises it")
    assert ((home / "starts").read_text(), box.pid("svlogd", "./main")) == (before, logger)

    stopped = box.run("systemctl", "stop", "runit-provision.service")
    assert (stopped.returncode, stopped.stderr) == (0, "")
    assert (box.pids("sleep", "3333"), box.pids("svlogd", "./main"), box.pids("runsv", "plain")) == ([], [], [])
    assert (home / "finished").read_text() == "over\n"
    assert (home / "log/main/current").read_text() == "last\n"
    assert (home / "starts").read_text() == before
