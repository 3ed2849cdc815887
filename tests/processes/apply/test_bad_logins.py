"""Accounts that cannot be made: what can be known is told before anything is done, and what fails then harms nobody else."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from pathlib import Path

import pytest
from support import oracle
from support.command import PROGRAM, runit_provision
from support.image import Peopled, snapshot
from support.logins import on_a_host

CHOOSE = "choose another number, or leave it to the host"
MOVE = "move it away, or choose another home"


class Image(Peopled):
    """One whose account has a home."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "home/old")
        os.chown(root / "home/old", 1005, 1005)

    def want(self, users: str, more: str = "") -> None:
        """Let the data want `users`, each on a line of its own from the fifth on, and a service of the host's."""
        web = "services: {web: {command: [sleep, '9'], log: false}}"
        text = f"runit:\n  {{runtime: none, profile: false,\n  {web}{more},\n  users: {{\n"
        self.data.write_text(f"{text}{users}\n  }}}}\n")


@pytest.fixture
def image(public: Path) -> Image:
    return Image(public / "image")


def without_place(err: str, image: Image) -> list[str]:
    """Take file, line and column off what was said, the line being the one that the users stand on."""
    return [re.sub(rf"^{image.data}:5:\d+: ", "", line) for line in err.splitlines()]


@pytest.mark.parametrize(
    ("users", "said"),
    [
        (
            "joe: {manage: true, home: /home/old/joe}",
            "runit.users.joe.home: {image}/home/old: belongs to uid 1005, who could swap what lies in it, and the home of joe is to be "
            "there; let it be a directory in which root alone writes, or choose another home",
        ),
        (
            "joe: {manage: true, home: /srv/nosuch/joe}",
            "runit.users.joe.home: {image}/srv/nosuch: does not exist, and the home of joe is to be there; "
            "make it first (a disk that is not mounted?), or choose another home",
        ),
        (
            "joe: {manage: true}",
            f"runit.users.joe.manage: {{image}}/home/joe: is a file, and the home of joe is to be there; {MOVE}",
        ),
        (
            "ann: {manage: true, home: /home/link}",
            f"runit.users.ann.home: {{image}}/home/link: is a symbolic link, and the home of ann is to be there; {MOVE}",
        ),
        (
            "ann: {manage: true, home: /home/old}",
            "runit.users.ann.home: {image}/home/old: is a directory of uid 1005, and the home of ann is to be there; "
            f"{MOVE}; or let `manage.uid` be 1005",
        ),
        (
            "ann: {manage: {uid: 1005}}",
            f"runit.users.ann.manage.uid: ann cannot have the number 1005: old has it; {CHOOSE}",
        ),
        (
            "ann: {manage: {gid: 1005}}",
            f"runit.users.ann.manage.gid: the group ann cannot have the number 1005: the group old has it; {CHOOSE}",
        ),
        (
            "ann: {manage: {uid: 4711}}, eve: {manage: {uid: 4711}}",
            f"runit.users.eve.manage.uid: eve cannot have the number 4711: ann has it; {CHOOSE}",
        ),
        (
            "ann: {manage: {gid: 7}, group: media}",
            "runit.users.ann.manage.gid: the group media is to have the number 8 "
            "(runit.groups.media ({data}:3)), not 7; give it one number",
        ),
        (
            "ann: {manage: true}, eve: {manage: true, home: /home/ann, basedir: /srv/eve}",
            "runit.users.eve.home: /home/ann is the home of ann as well; give each its own",
        ),
    ],
)
def test_what_is_in_the_way_of_an_account_is_told_before_anything_is_done(image: Image, users: str, said: str) -> None:
    (image.root / "home/joe").write_text("in the way")
    (image.root / "home/link").symlink_to("old")
    image.want(users, ", groups: {media: {gid: 8}}")
    before = snapshot(image.root)
    for command in ("plan", "check", "apply"):
        told = image.road(command)
        assert (told.status, told.out) == (1, "")
        assert without_place(told.err, image) == [said.format(data=image.data, image=image.root), "1 problem; nothing was changed"]
    assert snapshot(image.root) == before


def test_every_account_that_cannot_be_is_told_at_once_and_with_what_else_is_wrong(image: Image) -> None:
    image.want("ann: {manage: {uid: 1005}},\njoe: {manage: true, home: /srv/nosuch/joe, services: {web: {colour: green}}}")
    told = image.road("check").err.splitlines()
    assert [line.split(": ")[1] for line in told[:-1]] == [
        "runit.users.ann.manage.uid",
        "runit.users.joe.home",
        "runit.users.joe.services.web.colour",
    ]
    assert told[-1] == "3 problems; nothing was changed"


def test_an_image_without_accounts_gets_none_and_is_told_so_before(image: Image) -> None:
    (image.root / "etc/group").unlink()
    image.want("joe: {manage: true}")
    told = image.road("check")
    said = f"runit.users.joe.manage: {image.root}/etc/group: does not exist, and accounts are to be made"
    assert (told.status, without_place(told.err, image)[0]) == (1, said)


def test_a_directory_with_the_accounts_number_is_its_home_already(image: Image) -> None:
    kept = image.root / "home/joe/kept"
    kept.parent.mkdir()
    kept.touch()
    os.chown(kept.parent, 4711, 4711)
    image.want("joe: {manage: {uid: 4711}}")
    applied = image.road("apply")
    assert (applied.status, applied.err) == (0, "")
    assert "home" not in [line.split()[1] for line in applied.out.splitlines()]
    assert kept.exists()


def test_numbers_that_the_data_give_are_given_before_those_that_are_free(image: Image) -> None:
    image.want("ann: {manage: true}, zoe: {manage: {uid: 1006, gid: 1006}}")
    assert image.road("apply").status == 0
    passwd = (image.root / "etc/passwd").read_text().splitlines()
    assert sorted(line.split(":")[0] for line in passwd if line.split(":")[2] == "1006") == ["zoe"]


def test_files_may_be_a_groups_that_the_same_apply_makes(image: Image) -> None:
    service = "web2: {command: [sleep, '9'], files: {shared: {content: x, owner: root, group: media}}}"
    image.want("", ", groups: {media: {gid: 70000}}, definitions: /srv/sv, service_directory: /srv/service")
    image.data.write_text(image.data.read_text().replace("services: {", f"services: {{{service}, "))
    applied = image.road("apply")
    assert (applied.status, applied.err) == (0, "")
    assert (image.root / "srv/sv/web2/shared").stat().st_gid == 70000


def test_the_lock_of_an_images_accounts_is_waited_for_but_not_for_ever_and_the_rest_is_done(image: Image) -> None:
    image.want("joe: {manage: true, services: {worker: {command: [sleep, '9'], log: false}}}")
    with (image.root / "etc/.pwd.lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        applied = image.road("apply")
    assert applied.status == 1
    said = f"{image.root}/etc/.pwd.lock: has been held by pid {os.getpid()} for 15 s"
    hint = "another tool edits the accounts of this image: let it end, then apply again"
    assert without_place(applied.err, image)[0] == f"runit.users.joe.manage: {said}; {hint}"
    assert (image.root / "etc/sv/web/run").exists()
    assert not (image.root / "home/joe").exists()
    again = image.road("apply")
    assert (again.status, again.err) == (0, "")
    assert (image.root / "home/joe/runit/worker/run").exists()


FAILS = """#!/bin/sh
for word; do :; done
if [ "$word" = bad ]; then echo "$0: the moon is in the wrong house" >&2; exit 1; fi
exec {real} "$@"
"""
"""A tool of shadow's that fails for one name."""
DATA = """\
runit:
  runtime: none
  profile: false
  definitions: /home/sv
  service_directory: /home/service
  log_directory: /home/log
  services:
    web: {command: [sleep, '9'], log: false}
    theirs: {command: [sleep, '9'], log: false, files: {data: {content: x, owner: bad}}}
  users:
    bad: {manage: true, services: {worker: {command: [sleep, '9']}}}
    good: {manage: true, services: {worker: {command: [sleep, '9']}}}
"""


@pytest.mark.parametrize(("tool", "group"), [("groupadd", []), ("useradd", ["group bad"])])
def test_an_account_that_cannot_be_made_leaves_out_its_own_alone_and_rollback_tells_the_truth(
    tmp_path: Path, tool: str, group: list[str]
) -> None:
    found = oracle.program(tool, package="passwd")
    shutil.copy2(found, tmp_path / "real")
    (tmp_path / "tool").write_text(FAILS.format(real=tmp_path / "real"))
    (tmp_path / "tool").chmod(0o755)
    (tmp_path / "data.yaml").write_text(DATA)
    data = f"--data {tmp_path}/data.yaml"
    host = on_a_host(
        tmp_path,
        f"mount --bind {tmp_path}/tool {found} && {{ {PROGRAM} apply {data} 2>{tmp_path}/err; echo $? >{tmp_path}/status; }}; "
        f"find /home >{tmp_path}/paths; {PROGRAM} rollback >{tmp_path}/back; umount {found}; "
        f"{PROGRAM} apply {data} && {PROGRAM} check {data}",
    )
    said = f"runit.users.bad.manage: {tool} failed: {found}: the moon is in the wrong house"
    assert [line.partition(": ")[2] for line in (tmp_path / "err").read_text().splitlines() if "runit" in line] == [said]
    assert (tmp_path / "status").read_text() == "1\n"
    paths = set((tmp_path / "paths").read_text().splitlines())
    assert {"/home/good/service/worker", "/home/service/web", "/home/service/runsvdir-good"} <= paths
    assert not {path for path in paths if "bad" in path or "theirs" in path}
    stays = [line for line in (tmp_path / "back").read_text().splitlines() if line.startswith(("the account", "the group"))]
    assert [line.partition(", ")[0].removeprefix("the ") for line in stays] == ["account good", "group good", *group]
    assert (host.result.returncode, host.result.stderr) == (0, ""), host.result.stdout
    assert "bad" in host.accounts


def test_a_host_without_useradd_says_what_it_lacks_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text(DATA)
    hidden = " && ".join(f"mount --bind /dev/null {found}" for name in ("useradd", "groupadd") if (found := shutil.which(name)))
    host = on_a_host(tmp_path, f"{hidden} && {PROGRAM} apply --data {tmp_path}/data.yaml")
    install = "install shadow's tools (package passwd, shadow or shadow-utils)"
    assert [line.partition(": ")[2] for line in host.result.stderr.splitlines()] == [
        f"runit.users.bad.manage: groupadd is not installed; {install}",
        f"runit.users.bad.manage: useradd is not installed; {install}",
        "",
    ]
    assert host.result.stderr.splitlines()[-1] == "2 problems; nothing was changed"
    assert not (tmp_path / "lib").exists()


def test_when_all_is_to_be_put_back_the_homes_that_were_made_go_as_well(tmp_path: Path) -> None:
    found = oracle.program("useradd", package="passwd")
    shutil.copy2(found, tmp_path / "real")
    (tmp_path / "tool").write_text(FAILS.format(real=tmp_path / "real"))
    (tmp_path / "tool").chmod(0o755)
    (tmp_path / "data.yaml").write_text(DATA.replace("manage: true", "manage: {skeleton: false}"))
    apply = f"{PROGRAM} apply --data {tmp_path}/data.yaml --rollback-on-failure"
    host = on_a_host(tmp_path, f"mount --bind {tmp_path}/tool {found} && {apply}")
    assert host.result.returncode == 1
    assert host.result.stderr.splitlines()[-1] == "1 problem; all was put back as it was"
    stays = "rolled back: the account good, which the last apply made, stays; `userdel good` takes it away"
    assert stays in host.result.stdout.splitlines()
    assert not list(host.homes.iterdir())


def test_an_apply_of_one_service_that_makes_accounts_first_still_does_that_service_alone(image: Image) -> None:
    image.want("joe: {manage: true, services: {worker: {command: [sleep, '9'], log: false}}}")
    words = ("--root", image.root, "--data", image.data)
    assert runit_provision("apply", *words, "--service", "web").status == 0
    assert (image.root / "etc/sv/web/run").exists()
    assert (image.root / "home/joe/.").is_dir()
    assert not (image.root / "home/joe/runit/worker").exists()
