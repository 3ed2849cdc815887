"""What a host, or somebody on it, refuses: each said in a line that tells where, what, and what to do, and nothing else stops."""

from __future__ import annotations

import json
import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import apart, oracle
from support.command import Result, runit_provision
from support.image import snapshot

from runit_provision.app import living, provision
from runit_provision.app.source import Source
from runit_provision.app.target import Target
from runit_provision.errors import HostError

USERS = ("nobody", "games")
DATA = """\
runit:
  runtime: none
  service_directory: {base}/service
  definitions: {base}/sv
  log_directory: {base}/log
  profile: false
  services:
    web: {{command: [sleep, "1000"]}}
  users:
    nobody:
      home: {base}/nobody
      services: {{worker: {{command: [sleep, "{seconds}"]}}}}
    games:
      home: {base}/games
      services: {{worker: {{command: [sleep, "{seconds}"]}}}}
"""


class Host:
    """A folder that is provisioned for two users by root."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.data = base / "data.yaml"
        self.library = base / "lib"
        for name in USERS:
            home = base / name
            home.mkdir(mode=0o755)
            os.chown(home, pwd.getpwnam(name).pw_uid, pwd.getpwnam(name).pw_gid)

    def road(self, *words: object, seconds: int = 1000, **environment: str) -> Result:
        self.data.write_text(DATA.format(base=self.base, seconds=seconds))
        source = () if words[0] == "rollback" else ("--data", self.data)
        return runit_provision(*words, *source, env={"RUNIT_PROVISION_LIB": str(self.library), **environment})


@pytest.fixture
def host() -> Iterator[Host]:
    oracle.root("other accounts' homes")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Host(Path(folder))


def test_one_bad_home_fails_alone_and_is_listed(host: Host) -> None:
    (host.base / "games").rmdir()
    said = [
        f"{host.data}:14:7: runit.users.games.home: {host.base}/games: "
        "does not exist, and files of games are to lie in it; make it, owned by games, or correct the path"
    ]
    for command in ("plan", "check"):
        found = host.road(command)
        assert found.status == 1
        assert found.err.splitlines() == [*said, "1 problem, which apply does not solve; it does the rest"]
        assert f"+ {host.base}/sv/web/run" in found.out
        assert "games" not in found.out
    applied = host.road("apply")
    assert (applied.status, applied.err.splitlines()) == (1, [*said, "1 problem; the rest is done"])
    assert sorted(path.name for path in (host.base / "service").iterdir()) == ["runsvdir-nobody", "web"]
    assert (host.base / "nobody/service/worker").is_symlink()
    again = host.road("check")
    assert (again.status, again.out.splitlines()[-1]) == (1, "nothing else to do; 40 unchanged")
    assert again.err.splitlines() == [*said, "1 problem, which apply does not solve; there is nothing else to do"]
    once_more = host.road("apply")
    assert (once_more.status, once_more.out.splitlines()) == (1, ["nothing else to do; 40 unchanged"])
    assert once_more.err.splitlines() == [*said, "1 problem; nothing was done"]
    assert json.loads(host.road("check", "--format", "json").out)["problems"] == said


def test_what_is_refused_before_the_first_apply_leaves_nothing(host: Host) -> None:
    (host.base / "sv").write_text("no directory")
    before = snapshot(host.base)
    refused = host.road("apply")
    assert (refused.status, refused.err.splitlines()[-1]) == (1, "1 problem; nothing was changed")
    assert f"{host.base}/sv: a file is in the place of a directory; move it away, then apply again" in refused.err
    nothing = host.road("rollback")
    assert (nothing.status, nothing.err.splitlines()) == (
        1,
        [f"{host.library}: there is no apply to roll back", "1 problem; nothing was changed"],
    )
    assert {**snapshot(host.base), "data.yaml": b""} == {**before, "data.yaml": b""}


@pytest.mark.parametrize("command", ["plan", "apply", "check", "verify"])
def test_one_run_lists_what_is_wrong_with_the_data_and_with_the_host(host: Host, command: str) -> None:
    (host.base / "games").rmdir()
    (host.base / "templates").mkdir()
    (host.base / "templates/finish.sh.j2").write_text("{{ nothing }}\n")
    unfit = 'limits: {files: 99999999999}, check: {run: "#!/opt/none\\n"}'
    right, plain = DATA.format(base=host.base, seconds=1), 'web: {command: [sleep, "1000"]}'
    wrong_data = right.replace(plain, f"web: {{command: [sleep], colour: green, {unfit}}}")
    wrong_template = right.replace(plain, f"web: {{command: [sleep], restart: never, {unfit}}}")
    of_the_host = [
        "runit.services.web.check: /opt/none not found, which the script calls; install it",
        "runit.services.web.limits.files: 99999999999 is above the hard limit",
        "runit.users.games.home: ",
    ]
    said = "runit.services.web.colour: unknown key", "runit.services.web: the template does not render"
    for data, first in zip((wrong_data, wrong_template), said, strict=True):
        host.data.write_text(data)
        done = runit_provision(command, "--data", host.data, env={"RUNIT_PROVISION_LIB": str(host.library)})
        assert done.status == 1
        told = sorted(line.partition(": ")[2] for line in done.err.splitlines()[:-1])
        assert len(told) == 4, done.err
        for line, begins in zip(told, sorted([first, *of_the_host]), strict=True):
            assert line.startswith(begins)


@pytest.mark.parametrize("command", ["plan", "apply", "check", "verify"])
def test_a_user_of_whom_the_data_know_nothing_is_no_success(host: Host, command: str) -> None:
    said = host.road(command, "--user", "gamse")
    assert (said.status, said.err.splitlines()[0]) == (1, "there is no user 'gamse' in the data; did you mean `games`?")
    assert not host.library.exists()


def test_an_ordinary_user_is_told_how_to_take_his_own_tree(host: Host) -> None:
    host.road("plan")
    source = Source(data=host.data)
    provision.plan(source, Target(library=host.library))  # imports and reads what only root may read of this python
    reader, writer = os.pipe()
    if not os.fork():
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(*[pwd.getpwnam("nobody").pw_uid] * 3)
            steps = provision.plan(source, Target(user="nobody", library=host.library)).plan.steps
            os.write(writer, "".join(f"{step.path}\n" for step in steps).encode())
            provision.plan(source, Target(library=host.library))
        except HostError as error:
            os.write(writer, f"{error}\nuntouched: {error.untouched}\n".encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        *own, refused, untouched = told.read().splitlines()
    assert f"{host.base}/nobody/runit/worker/run" in own
    assert all(path.startswith(f"{host.base}/nobody/") for path in own)
    assert refused == (
        f"{host.data}:14:7: runit.users.games.home: only root can work as games; "
        "`--user NAME` takes the tree of one user alone, who can do that without root"
    )
    assert untouched == "untouched: True"


def test_an_ordinary_user_is_told_what_is_roots_and_how_to_see_his_own(host: Host) -> None:
    host.data.write_text(DATA.partition("  users:")[0].format(base=host.base))
    (host.base / "log/web").mkdir(parents=True)
    (host.base / "log/web").chmod(0o700)
    home = host.base / "nobody"
    (home / "service").mkdir()

    def seen_by_nobody() -> list[str]:
        provision.plan(Source(data=host.data), Target())  # imports what only root may read of this python
        living.applied(Target())
        os.setresuid(*[pwd.getpwnam("nobody").pw_uid] * 3)
        os.environ["HOME"] = str(home)
        with pytest.raises(HostError) as caught:
            provision.plan(Source(data=host.data), Target())
        return [living.none(Target()), str(caught.value)]

    status, plan = apart.told(seen_by_nobody, mounts="mount -t tmpfs none /var/lib && mkdir -m 700 /var/lib/runit-provision")
    assert status == (
        f"no services that you have applied; root's `status` shows those that root has, and `sv status {home}/service/*` how yours fare"
    )
    assert plan == (
        f"{host.data}:8:5: runit.services.web: {host.base}/log/web/config: Permission denied; "
        "that is root's to look at; `--user NAME` is about the tree of one user alone"
    )


@pytest.mark.shows("roads", "command line", "purge")
def test_purge_sees_what_came_after_an_apply_and_says_what_it_does_not_take(host: Host) -> None:
    purging = DATA.replace("  services:\n", "  purge: true\n  services:\n", 1).replace(
        "    games:\n", "    games:\n      purge: true\n"
    )
    host.data.write_text(purging.format(base=host.base, seconds=1000))

    def road(command: str) -> Result:
        return runit_provision(command, "--data", host.data, env={"RUNIT_PROVISION_LIB": str(host.library)})

    assert road("apply").status == 0
    assert road("check").status == 0
    strays = [host.base / "service/other", host.base / "games/service/mine"]
    for stray, owner in zip(strays, (0, pwd.getpwnam("games").pw_uid), strict=True):
        stray.symlink_to("/nowhere")
        os.chown(stray, owner, owner, follow_symlinks=False)
    (host.base / "service/plain").mkdir()
    (host.base / "nobody/service/mine").symlink_to("/nowhere")
    checked = road("check")
    assert (checked.status, checked.err.splitlines()) == (
        2,
        [
            f"warning: {host.base}/service/plain: is a directory that the data does not know, and stays; "
            "`purge` takes links away; make it one, or move it by hand"
        ],
    )
    why = "not in the data, and nothing else is to be here, not made here, kept"
    assert [" ".join(line.split()) for line in checked.out.splitlines()[:2]] == [
        f"- {strays[0]} {why}: runit.purge ({host.data}:7)",
        f"- {strays[1]} {why}: runit.users.games.purge ({host.data}:15)",
    ]
    assert road("apply").status == 0
    assert not any(os.path.lexists(stray) for stray in strays)
    assert (host.base / "nobody/service/mine").is_symlink()
    assert road("check").status == 0


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "1e9", "soon"])
@pytest.mark.parametrize("option", ["--lock-timeout", "--timeout"])
def test_a_wait_is_a_number_of_seconds(host: Host, option: str, seconds: str) -> None:
    refused = host.road("apply", option, seconds)
    assert (refused.status, refused.out) == (64, "")
    assert refused.err.splitlines()[-1].startswith(f"Error: Invalid value for '{option}': '{seconds}' is n")
