"""Services and logs elsewhere than usual: who makes the directories, and whose they are."""

from __future__ import annotations

import json
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
    source = () if command in ("restart", "rollback", "status") else ("--data", base / "data.yaml")
    return runit_provision(command, *source, *words, env={"RUNIT_PROVISION_LIB": str(base / "lib")})


@pytest.mark.shows("data", "host", "logdir", "service_directory", "definitions", "log_directory", "runtime")
@pytest.mark.shows("data", "service", "logdir")
@pytest.mark.shows("data", "user", "home")
def test_log_directories_outside_a_home_are_made_by_the_system_and_given_to_who_writes_there(base: Path) -> None:
    applied = road(base, "apply")
    assert (applied.status, applied.err) == (0, "")
    owners = {path: (base / path).owner() for path in ("logs", "logs/nobody", "logs/nobody/worker", "logs/nobody/worker/config")}
    assert owners == {path: "nobody" if "nobody" in path else "root" for path in owners}
    assert [(base / path).owner() for path in ("other", "other/worker", "other/worker/config")] == ["root", "games", "games"]
    assert (base / "logs/nobody/runsvdir/config").owner() == "nobody"
    assert road(base, "check").status == 0


@pytest.mark.shows("data", "service", "basedir")
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


@pytest.mark.parametrize(
    ("owner", "mode", "said"),
    [
        ("root", 0o755, "belongs to uid 0, not to {uid}; no service of nobody could be looked at"),
        ("nobody", 0o777, "can be written by all; no service of nobody could be looked at"),
    ],
)
def test_status_shows_the_others_when_one_home_cannot_be_entered(base: Path, owner: str, mode: int, said: str) -> None:
    assert road(base, "apply").status == 0
    user = pwd.getpwnam("nobody")
    os.chown(base / "nobody", pwd.getpwnam(owner).pw_uid, -1)
    (base / "nobody").chmod(mode)
    shown = road(base, "status")
    assert shown.status == 1
    assert shown.err.splitlines() == [f"{base}/nobody: {said.format(uid=user.pw_uid)}"]
    names = {line.split()[0] for line in shown.out.splitlines()[1:]}
    assert names == {"apart", "games/worker", "runsvdir-games", "runsvdir-nobody"}
    listed = road(base, "status", "--format", "json")
    assert (listed.status, {row["service"] for row in json.loads(listed.out)}) == (1, names)
    restarted = road(base, "restart", "nobody/worker")
    assert (restarted.status, restarted.err.splitlines()[0]) == (1, f"{base}/nobody: {said.format(uid=user.pw_uid)}")


GIVEN = """\
runit:
  runtime: none
  service_directory: {base}/service
  definitions: {base}/sv
  services:
    web:
      command: [sleep, "1000"]
      log: false
      files:
        conf/: {{source: {base}/conf/, owner: nobody}}
        conf/more/deep: {{content: "deep"}}
    other: {{command: [sleep, "1000"], log: false}}
"""


def test_a_directory_of_files_that_is_given_to_an_account_is_filled_by_that_account(base: Path) -> None:
    (base / "conf/inner").mkdir(parents=True)
    (base / "conf/inner/file").write_text("inner")
    (base / "data.yaml").write_text(GIVEN.format(base=base))
    applied = road(base, "apply")
    assert (applied.status, applied.err) == (0, "")
    conf = base / "sv/web/conf"
    paths = {str(path.relative_to(conf)): path.owner() for path in conf.rglob("*")}
    lock = (".runit-provision", ".runit-provision/lock")
    assert paths == dict.fromkeys(("inner", "inner/file", "more", "more/deep", *lock), "nobody")
    assert (conf.owner(), conf.parent.owner()) == ("nobody", "root")
    assert road(base, "check").status == 0
    conf.chmod(0o777)
    (base / "data.yaml").write_text(GIVEN.format(base=base).replace("1000", "2000"))
    failed = road(base, "apply")
    assert failed.status == 1
    assert f"{conf}: can be written by all" in failed.err
    assert "2000" in (base / "sv/other/run").read_text()
    assert "1000" in (base / "sv/web/run").read_text()
    conf.chmod(0o755)
    assert road(base, "apply").status == 0
    assert road(base, "check").status == 0
    assert road(base, "rollback").status == 0
