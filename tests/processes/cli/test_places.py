"""Services and logs elsewhere than usual: who makes the directories, and whose they are."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import oracle
from support.command import Result, runit_provision

DATA = """\
runit:
  runtime: none
  service_directory: {base}/service
  definitions: {base}/sv
  log_directory: {base}/log
  profile: false
  logdir: {base}/logs
  services:
    apart: {{command: [sleep, "1000"], basedir: {base}/apart}}
  users:
    nobody:
      home: {base}/nobody
      services:
        worker: {{command: [sleep, "1000"]}}
        based: {{command: [sleep, "1000"], basedir: {base}/nobody/deep/down}}
    games:
      home: {base}/games
      services:
        worker: {{command: [sleep, "1000"], logdir: {base}/other}}
"""


@pytest.fixture
def base() -> Iterator[Path]:
    oracle.root("other accounts' homes")
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        base.chmod(0o755)
        for name in ("nobody", "games"):
            (base / name).mkdir()
            os.chown(base / name, pwd.getpwnam(name).pw_uid, pwd.getpwnam(name).pw_gid)
        (base / "data.yaml").write_text(DATA.format(base=base))
        yield base


def road(base: Path, command: str, *words: object) -> Result:
    source = () if command == "rollback" else ("--data", base / "data.yaml")
    return runit_provision(command, *source, *words, env={"RUNIT_PROVISION_LIB": str(base / "lib")})


def test_log_directories_outside_a_home_are_made_by_the_system_and_given_to_who_writes_there(base: Path) -> None:
    applied = road(base, "apply")
    assert (applied.status, applied.err) == (0, "")
    owners = {path: (base / path).owner() for path in ("logs", "logs/nobody", "logs/nobody/worker", "logs/nobody/worker/config")}
    assert owners == {path: "nobody" if "nobody" in path else "root" for path in owners}
    assert [(base / path).owner() for path in ("other", "other/worker", "other/worker/config")] == ["root", "games", "games"]
    assert (base / "logs/nobody/runsvdir/config").owner() == "nobody"
    assert road(base, "check").status == 0


def test_a_basedir_of_a_service_is_made_with_all_that_is_to_lie_in_it(base: Path) -> None:
    assert road(base, "apply").status == 0
    assert (base / "apart/runit/apart/run").exists()
    assert (base / "apart/logs/apart/config").exists()
    deep = base / "nobody/deep/down"
    assert {path.owner() for path in (deep.parent, deep, deep / "runit/based/run", deep / "logs/based/config")} == {"nobody"}
    assert road(base, "check").status == 0
    assert road(base, "rollback").status == 0
    assert not (base / "apart").exists()
    assert not deep.parent.exists()
    assert not list(base.rglob("config"))


def test_a_user_who_puts_a_link_in_its_place_harms_nobody_else(base: Path) -> None:
    assert road(base, "apply").status == 0
    trap = base / "trap"
    trap.mkdir()
    (base / "logs/nobody/worker").rename(base / "logs/nobody/away")
    (base / "logs/nobody/worker").symlink_to(trap)
    data = base / "data.yaml"
    data.write_text(data.read_text().replace("  services:\n", "  defaults: {log: {size: 5m}}\n  services:\n", 1))
    applied = road(base, "apply")
    assert applied.status == 1
    assert f"{base}/logs/nobody/worker" in applied.err
    assert list(trap.iterdir()) == []
    assert (base / "other/worker/config").read_bytes().startswith(b"s5m\n"), "the others have theirs"


def test_a_directory_that_others_own_or_can_write_is_refused(base: Path) -> None:
    (base / "logs").mkdir()
    (base / "logs").chmod(0o777)
    refused = road(base, "apply")
    assert refused.status == 1
    assert f"{base}/logs" in refused.err
    assert list((base / "logs").iterdir()) == []
    (base / "logs").chmod(0o755)
    (base / "logs/nobody").mkdir()
    os.chown(base / "logs/nobody", pwd.getpwnam("games").pw_uid, -1)
    refused = road(base, "apply")
    assert refused.status == 1
    assert f"{base}/logs/nobody: belongs to uid {pwd.getpwnam('games').pw_uid}" in refused.err
    assert (base / "games/service/worker").is_symlink(), "the others have theirs"


def test_a_user_alone_is_told_that_the_place_for_the_logs_is_missing(base: Path) -> None:
    (base / "logs").mkdir()
    refused = road(base, "plan", "--user", "nobody")
    assert (refused.status, refused.err.splitlines()[-1]) == (1, "1 problem; nothing was changed")
    assert f"{base}/logs/nobody: does not exist, and files of nobody are to lie in it" in refused.err
