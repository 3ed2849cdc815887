"""Accounts that the data manage: by the host's own tools, and in an image."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from support import oracle, waiting
from support.command import PROGRAM, runit_provision
from support.faults import UNTOUCHED, interrupted
from support.image import Peopled, snapshot
from support.logins import Host, on_a_host

from runit_provision.app import provision
from runit_provision.app.source import Source
from runit_provision.app.target import Target

DATA = """\
runit:
  runtime: none
  profile: false
  groups: {media: {gid: 70000}}
  services: {web: {command: [sleep, '9']}}
  users:
    joe:
      manage: {uid: 4711, shell: /bin/sh, comment: Joe Doe, home_mode: '0750'}
      groups: [media]
      services: {worker: {command: [sleep, '9'], user: joe}}
    daemon1: {manage: {system: true, skeleton: false}, home: /srv/daemon1}
"""


class Image(Peopled):
    """One that has all tables of accounts, and a skeleton for homes."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "etc/skel/.config")
        self.data.write_text(DATA)
        (root / "etc/group").write_text("root:x:0:\nold:x:1005:\naudio:x:29:old\n")
        (root / "etc/gshadow").write_text("root:*::\nold:!::\naudio:*::old\n")
        (root / "etc/shadow").write_text("root:*:19000:0:99999:7:::\n")
        (root / "etc/shadow").chmod(0o640)
        (root / "etc/skel/.profile").write_text("umask 022\n")
        (root / "etc/skel/.config").chmod(0o700)
        (root / "etc/skel/.link").symlink_to(".profile")

    def lines(self, name: str) -> list[str]:
        return (self.root / "etc" / name).read_text().splitlines()


@pytest.fixture
def image(public: Path) -> Image:
    return Image(public / "image")


@pytest.mark.shows("data", "host", "groups", "profile")
@pytest.mark.shows("data", "group", "gid")
@pytest.mark.shows("data", "user", "manage")
@pytest.mark.shows("data", "manage", "uid", "shell", "comment", "system", "skeleton", "home_mode")
def test_an_image_gets_the_accounts_groups_and_homes_of_the_data(image: Image) -> None:
    before = snapshot(image.root)
    planned = image.road("plan", "--no-diff")
    assert planned.status == 2
    made = [line.split("  ")[0] for line in planned.out.splitlines() if line.split()[1] in ("account", "group", "home")]
    assert sorted(made) == [
        *("+ account daemon1", "+ account joe", "+ group daemon1", "+ group joe", "+ group media"),
        *("+ home /home/joe", "+ home /srv/daemon1"),
    ]
    assert f"+ account joe new: runit.users.joe.manage ({image.data}:8)" in " ".join(planned.out.split())
    assert snapshot(image.root) == before
    applied = image.road("apply")
    assert (applied.status, applied.err) == (0, "")
    assert image.lines("passwd")[2:] == ["joe:x:4711:1006:Joe Doe:/home/joe:/bin/sh", "daemon1:x:999:999::/srv/daemon1:/bin/sh"]
    assert image.lines("group") == ["root:x:0:", "old:x:1005:", "audio:x:29:old", "media:x:70000:joe", "daemon1:x:999:", "joe:x:1006:"]
    assert image.lines("shadow")[1:] == ["joe:!::0:99999:7:::", "daemon1:!::0:99999:7:::"]
    assert image.lines("gshadow")[3:] == ["media:!::joe", "daemon1:!::", "joe:!::"]
    assert stat.S_IMODE((image.root / "etc/shadow").stat().st_mode) == 0o640
    home = image.root / "home/joe"
    assert [(oct(path.lstat().st_mode), path.lstat().st_uid, path.lstat().st_gid) for path in (home, home / ".config")] == [
        ("0o40750", 4711, 1006),
        ("0o40700", 4711, 1006),
    ]
    assert (home / ".profile").read_text() == "umask 022\n"
    assert (home / ".link").readlink() == Path(".profile")
    assert {path.lstat().st_uid for path in home.rglob("*") if not path.is_symlink()} == {4711}
    assert (home / "runit/worker/run").exists()
    assert not (image.root / "srv/daemon1/.profile").exists()
    checked = image.road("check")
    assert (checked.status, checked.err) == (0, "")
    assert not list(image.root.rglob(".runit-provision.*"))


def test_killed_at_any_change_the_next_apply_makes_accounts_and_homes_as_if_nothing_had_happened(image: Image) -> None:
    source, target, bare = Source(data=image.data), Target(root=image.root), image.root.with_name("bare")
    subprocess.run(["cp", "-a", str(image.root), str(bare)], check=True, timeout=waiting.DEADLINE)

    def apply() -> None:
        provision.apply(source, target, lock_timeout=20, service_timeout=1, announce=lambda _: None)

    apply()
    wanted = made(image)
    for at in itertools.count(0, 1 if os.environ.get("HARNESS") == "all" else 7):
        shutil.rmtree(image.root)
        subprocess.run(["cp", "-a", str(bare), str(image.root)], check=True, timeout=waiting.DEADLINE)
        status = interrupted(apply, at=at, late=bool(at % 2))
        apply()
        assert made(image) == wanted, at
        assert image.road("check").status == 0, at
        if status == UNTOUCHED:
            break
    assert at > 80


@pytest.mark.parametrize("half", ["/home/.runit-provision.joe", "/etc/.runit-provision.gshadow"])
def test_what_was_half_made_when_apply_was_killed_goes_when_nobody_wants_it_any_more(image: Image, half: str) -> None:
    source, target = Source(data=image.data), Target(root=image.root)
    there = (image.root / half[1:]).exists

    def apply() -> None:
        provision.apply(source, target, lock_timeout=20, service_timeout=1, announce=lambda _: None)

    assert interrupted(apply, once=there) != UNTOUCHED
    assert there()
    image.data.write_text("runit: {runtime: none, profile: false}\n")
    assert f"- {half}  left behind by an apply that was killed" in image.road("plan").out
    assert image.road("apply").status == 0
    assert not there()


def test_rollback_takes_away_homes_that_are_as_they_were_made_and_tells_what_stays(image: Image) -> None:
    before = snapshot(image.root / "home")
    assert image.road("apply").status == 0
    back = runit_provision("rollback", "--root", image.root)
    assert (back.status, back.err) == (0, "")
    assert [line for line in back.out.splitlines() if "which the last apply made, stays" in line] == [
        f"the account daemon1, which the last apply made, stays; `userdel --root {image.root} daemon1` takes it away",
        f"the account joe, which the last apply made, stays; `userdel --root {image.root} joe` takes it away",
        f"the group joe, which the last apply made, stays; `groupdel --root {image.root} joe` takes it away",
        f"the group daemon1, which the last apply made, stays; `groupdel --root {image.root} daemon1` takes it away",
        f"the group media, which the last apply made, stays; `groupdel --root {image.root} media` takes it away",
    ]
    assert snapshot(image.root / "home") == before
    assert not (image.root / "srv/daemon1").exists()
    assert not (image.root / "etc/sv/web").exists()
    assert image.road("apply").status == 0
    (image.root / "home/joe/.profile").write_text("umask 077\n")
    (image.root / "home/joe/.config/mine").touch()
    back = runit_provision("rollback", "--root", image.root)
    kept = f"the home {image.root}/home/joe, which the last apply made, stays: it holds .profile, .config/mine"
    assert (back.status, [line for line in back.out.splitlines() if "/home/joe," in line]) == (0, [kept])
    assert {path.name for path in (image.root / "home/joe").iterdir()} == {".config", ".link", ".profile", ".runit-provision"}
    assert not (image.root / "srv/daemon1").exists()
    assert image.road("apply").status == 0
    image.data.write_text(DATA.replace("Joe Doe", "Joe Roe"))
    assert image.road("apply").status == 0
    told = "the account joe stays as the last apply changed it: comment 'Joe Doe' -> 'Joe Roe'"
    assert told in runit_provision("rollback", "--root", image.root).out.splitlines()


def test_what_is_in_the_way_is_told_before_any_account_is_made(image: Image) -> None:
    (image.root / "etc/sv").write_text("in the way")
    before = snapshot(image.root)
    assert image.road("apply").err.splitlines()[-1] == "1 problem; nothing was changed"
    assert snapshot(image.root) == before


def test_two_applies_at_once_make_each_account_once(image: Image) -> None:
    words = [str(PROGRAM), "apply", "--root", str(image.root), "--data", str(image.data), "--lock-timeout", "100"]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for each in both:
        _, said = each.communicate(timeout=waiting.DEADLINE * 2)
        assert (each.returncode, said) == (0, "")
    assert [line.partition(":")[0] for line in image.lines("passwd")] == ["root", "old", "joe", "daemon1"]
    assert image.road("check").status == 0


def test_nobody_new_has_the_password_of_one_who_is_no_more(image: Image) -> None:
    shadow = image.root / "etc/shadow"
    shadow.write_text(shadow.read_text() + "joe:$6$old$hash:19000:0:99999:7:::\n")
    assert image.road("apply").status == 0
    assert [line for line in image.lines("shadow") if line.startswith("joe:")] == ["joe:!::0:99999:7:::"]


def made(image: Image) -> dict[str, tuple[object, ...]]:
    """What an apply makes: everything but its own memory."""
    memory = image.root / "var/lib/runit-provision"
    return {
        str(path.relative_to(image.root)): (
            (seen := path.lstat()).st_mode,
            seen.st_uid,
            seen.st_gid,
            path.read_bytes() if stat.S_ISREG(seen.st_mode) else path.readlink() if path.is_symlink() else None,
        )
        for path in sorted(image.root.rglob("*"))
        if not path.is_relative_to(memory)
    }


def test_what_drifts_is_made_good_but_no_number_is_changed(image: Image) -> None:
    assert image.road("apply").status == 0
    passwd = image.root / "etc/passwd"
    passwd.write_text(passwd.read_text().replace("Joe Doe:/home/joe:/bin/sh", "Joe:/home/joe:/bin/zsh"))
    group = image.root / "etc/group"
    group.write_text(group.read_text().replace("70000:joe", "70000:old"))
    checked = image.road("check")
    assert checked.status == 2
    assert "~ account joe  shell /bin/zsh -> /bin/sh, comment 'Joe' -> 'Joe Doe', not in media: " in checked.out
    assert image.road("apply").status == 0
    assert "joe:x:4711:1006:Joe Doe:/home/joe:/bin/sh" in image.lines("passwd")
    assert "media:x:70000:old,joe" in image.lines("group")
    assert image.road("check").status == 0
    passwd.write_text(passwd.read_text().replace(":4711:", ":4712:"))
    before = snapshot(image.root)
    refused = image.road("apply")
    hint = "files would change hands: correct the data, or change the number by hand"
    assert refused.err.splitlines() == [
        f"{image.data}:8:16: runit.users.joe.manage.uid: the account joe has the number 4712, not 4711; {hint}",
        "1 problem; nothing was changed",
    ]
    left = snapshot(image.root)
    assert {path for path in left if left[path] != before.get(path)} <= {"var/lib/runit-provision/lock"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("groups: [media]", "groups: [sound]", "joe.manage: there is no group 'sound' on this host; let `groups` of the host make it"),
        ("joe:", "'Joe:x':", "Joe:x: 'Joe:x' is no name that useradd takes; small letters, digits, - and _, at most 32"),
        ("uid: 4711", "uid: 0", "joe.manage.uid: 0 is less than 1"),
        ("comment: Joe Doe", "comment: 'a:b'", "joe.manage.comment: holds a colon, which parts the fields of passwd"),
    ],
)
def test_what_cannot_be_an_account_is_refused(image: Image, old: str, new: str, said: str) -> None:
    image.data.write_text(DATA.replace(old, new))
    before = snapshot(image.root)
    refused = image.road("apply")
    assert refused.status == 1
    assert said in refused.err
    assert snapshot(image.root) == before


def applied_on_a_host(folder: Path, before: str = ":") -> Host:
    """Apply and check there; `before` is a shell line."""
    data = folder / "data.yaml"
    data.write_text(DATA.replace("/srv/", "/home/").replace("  services: {web", "  definitions: /home/sv\n  services: {web"))
    return on_a_host(folder, f"{before} && {PROGRAM} apply --data {data} && exec {PROGRAM} check --data {data}")


def test_a_running_hosts_useradd_makes_what_is_missing(tmp_path: Path) -> None:
    oracle.program("useradd", package="passwd")
    host = applied_on_a_host(tmp_path)
    assert (host.result.returncode, host.result.stderr) == (0, ""), host.result.stdout
    joe = host.accounts["joe"]
    assert (joe[0], *joe[2:]) == ("4711", "Joe Doe", "/home/joe", "/bin/sh")
    assert "media:x:70000:joe" in (host.etc / "group").read_text().splitlines()
    assert int(host.accounts["daemon1"][0]) < 1000
    assert (host.homes / "joe").stat().st_uid == 4711
    assert (host.homes / "joe/runit/worker/run").stat().st_uid == 4711
    assert "joe" not in {entry.pw_name for entry in pwd.getpwall()}


KILLS = """\
real={real}
if [ -e {folder}/killed ]; then exec $real "$@"; fi
[ {when} = before ] || $real "$@"
touch {folder}/killed
kill -KILL $PPID
[ {when} = after ] || {{ while kill -0 $PPID 2>&-; do :; done; $real "$@"; }}
"""
"""A tool of shadow's that kills the apply that calls it for the first time, and does its work before or after."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("tool", ["groupadd", "useradd"])
def test_killed_while_a_tool_makes_an_account_the_next_apply_ends_as_if_nothing_had_happened(
    tmp_path: Path, tool: str, when: str
) -> None:
    found = oracle.program(tool, package="passwd")
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    whole = applied_on_a_host(tmp_path / "whole")
    folder = tmp_path / "killed"
    shutil.copy2(found, folder / "real")
    (folder / "tool").write_text("#!/bin/sh\n" + KILLS.format(real=folder / "real", folder=folder, when=when))
    (folder / "tool").chmod(0o755)
    apply = f"{PROGRAM} apply --data {folder}/data.yaml --lock-timeout 60"
    host = applied_on_a_host(folder, f"mount --bind {folder}/tool {found} && {{ {apply} >&- 2>&-; [ -e {folder}/killed ]; }}")
    assert (host.result.returncode, host.result.stderr) == (0, ""), host.result.stdout
    for name in ("passwd", "group"):
        assert (host.etc / name).read_text() == (whole.etc / name).read_text()
    assert {path.relative_to(host.homes) for path in host.homes.rglob("*")} == {
        path.relative_to(whole.homes) for path in whole.homes.rglob("*")
    }
    assert not (folder / "lib/journal").exists()
