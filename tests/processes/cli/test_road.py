"""From data to a host's files by the command line: exit statuses, what is printed, and that bad input changes nothing."""

from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support import oracle
from support.command import PROGRAM, Result, runit_provision
from support.image import snapshot

from runit_provision.host import Machine

Road = Callable[..., Result]
ME = pwd.getpwuid(os.geteuid()).pw_name
DATA = f"""\
runit:
  owner: {ME}
  prefix: PLACE/runtime
  runtime: none
  service_directory: PLACE/service
  definitions: PLACE/sv
  log_directory: PLACE/log
  services:
    web:
      command: [sleep, "1000"]
      env: {{GREETING: good day}}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "host").mkdir(mode=0o755)
    return tmp_path / "host"


@pytest.fixture
def data(tmp_path: Path, place: Path) -> Path:
    file = tmp_path / "data.yaml"
    file.write_text(DATA.replace("PLACE", str(place)))
    return file


@pytest.fixture
def road(tmp_path: Path) -> Road:
    """The command, with a library of its own."""
    return lambda *arguments: runit_provision(*arguments, env={"RUNIT_PROVISION_LIB": str(tmp_path / "lib")}, cwd=tmp_path)


@pytest.mark.shows("roads", "command line", "first run", "second run", "drift", "dry run")
def test_check_finds_the_difference_apply_does_it_and_the_second_apply_does_nothing(road: Road, place: Path, data: Path) -> None:
    before = snapshot(place)
    assert road("check", "--data", data).status == 2
    assert snapshot(place) == before
    applied = road("apply", "--data", data)
    assert (applied.status, applied.err) == (0, "")
    assert (place / "sv/web/run").read_text().startswith("#!/bin/sh\n")
    after = snapshot(place)
    assert road("check", "--data", data).status == 0
    again = road("apply", "--data", data)
    assert again.status == 0
    assert again.out.startswith("nothing to do; ")
    assert snapshot(place) == after


def test_plan_tells_each_step_with_its_reason_and_place(road: Road, data: Path, place: Path) -> None:
    road("apply", "--data", data)
    data.write_text(data.read_text().replace("good day", "good evening"))
    plan = road("plan", "--data", data)
    assert plan.status == 2
    line = next(line for line in plan.out.splitlines() if line.startswith("~ "))
    assert line.split() == [
        "~",
        f"{place}/sv/web/env/GREETING",
        *["content", "changed:", "runit.services.web.env.GREETING"],
        f"({data}:11)",
    ]
    assert "    +good evening" in plan.out.splitlines()


def test_plan_as_json_is_one_value(road: Road, data: Path) -> None:
    value = json.loads(road("plan", "--data", data, "--format", "json").out)
    assert (value["version"], value["empty"], value["runtime"]) == (1, False, None)


def test_rollback_undoes_the_last_apply(road: Road, data: Path, place: Path) -> None:
    road("apply", "--data", data)
    first = snapshot(place)
    data.write_text(data.read_text().replace("good day", "good evening"))
    road("apply", "--data", data)
    assert snapshot(place) != first
    assert road("rollback").status == 0
    assert snapshot(place) == first


def test_rollback_shows_what_it_would_do_and_then_what_it_does(road: Road, data: Path, place: Path) -> None:
    road("apply", "--data", data)
    data.write_text(data.read_text().replace("good day", "good evening"))
    (changed,) = (line.split()[1] for line in road("apply", "--data", data).out.splitlines() if line.startswith("~"))
    before = snapshot(place)
    planned = road("rollback", "--plan")
    said = [f"~ {changed}  as it was before the last apply: runit.services.web.env.GREETING ({data}:11)"]
    assert (planned.status, planned.err) == (2, "")
    assert planned.out.splitlines()[:-1] == said
    assert planned.out.splitlines()[-1].startswith("1 file to replace, ")
    assert json.loads(road("rollback", "--plan", "--format", "json").out)["paths"][0]["path"] == changed
    assert snapshot(place) == before
    done = road("rollback")
    assert (done.status, done.out) == (0, planned.out + "1 path changed\n")


def test_render_lists_what_apply_would_make_or_writes_it(road: Road, data: Path, place: Path, tmp_path: Path) -> None:
    listed = json.loads(road("render", "--data", data, "--format", "json").out)
    assert road("render", "--data", data, "--out", tmp_path / "out").status == 0
    road("apply", "--data", data)
    written = snapshot(tmp_path / "out" / str(place).lstrip("/"))
    assert written == snapshot(place)
    assert {row["path"] for row in listed} == {f"{place}/{name}" for name in written}
    rows = {row["path"]: row["mode"] for row in listed if "mode" in row}
    assert {path: f"{(tmp_path / 'out' / path[1:]).stat().st_mode & 0o7777:04o}" for path in rows} == rows
    assert road("render", "--data", data, "--out", tmp_path / "out").status == 1
    (tmp_path / "nowhere").symlink_to("nothing")
    assert "nowhere: is there, and not empty; " in road("render", "--data", data, "--out", tmp_path / "nowhere").err


def test_what_cannot_be_rendered_whole_is_not_left_in_part(data: Path, place: Path, tmp_path: Path) -> None:
    limited = f"ulimit -f 0; exec {PROGRAM} render --data {data} --out {tmp_path}/out"
    done = subprocess.run(["sh", "-c", limited], stderr=subprocess.PIPE, text=True, check=False)
    where = f"{tmp_path}/out{place}/sv/web/env/GREETING"
    assert (done.returncode, done.stderr) == (1, f"{where}: File too large\n1 problem; nothing was changed\n")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_shipped_runtime_that_the_data_names_is_laid_by_apply(road: Road, data: Path, place: Path) -> None:
    from runit_provision.host.interpreter import PYTHON

    oracle.program(PYTHON, package="python3")
    data.write_text(data.read_text().replace("runtime: none", "runtime: shipped"))
    assert f"+ {place}/runtime/bin: the shipped runtime is to be installed" in road("plan", "--data", data).out
    assert road("apply", "--data", data).status == 0
    assert (place / "runtime/bin/runsvdir").exists()
    assert road("check", "--data", data).status == 0


def test_tools_that_the_scripts_would_not_find_are_a_problem_until_they_are_there(road: Road, data: Path, place: Path) -> None:
    data.write_text(data.read_text().replace("  runtime: none\n", ""))
    for command in ("plan", "apply", "check", "apply"):
        done = road(command, "--data", data)
        said = done.err.splitlines()[0]
        assert done.status == 1
        assert said.startswith(f"{place}/runtime/bin: runsvdir, ")
        assert said.endswith(f"not found, which the services' scripts call; `runit-provision runtime install --prefix {place}/runtime`")
    assert (place / "service").is_dir()
    undone = road("apply", "--rollback-on-failure", "--data", data)
    assert (undone.status, undone.err.splitlines()[-1]) == (1, "1 problem; nothing was changed")


# Bad input: where, what, what to do; status 1, and nothing is changed.


@pytest.mark.shows("roads", "command line", "bad data")
@pytest.mark.parametrize("command", ["check", "plan", "apply", "render", "render --strict-accounts"])
def test_every_problem_is_a_line_and_nothing_is_changed(road: Road, data: Path, place: Path, command: str) -> None:
    data.write_text(
        data.read_text().replace("command:", "comand:").replace("services:\n", 'services:\n    "../x": {command: [x]}\n', 1)
        + "      user: nobody-of-that-name\n"
    )
    before = snapshot(place)
    result = road(*command.split(), "--data", data)
    assert (result.status, result.out) == (1, "")
    # What this machine lacks is not the data's fault where nothing is applied.
    strange = f"warning: {data}:" if command == "render" else f"{data}:"
    assert [line for line in result.err.splitlines() if line.startswith(strange) and "nobody-of-that-name" in line]
    lines = [line for line in result.err.splitlines() if not line.startswith("warning: ")]
    assert [line.split(":")[0:2] for line in lines[:-1]] == [[str(data), line.split(":")[1]] for line in lines[:-1]]
    text = result.err
    assert "runit.services.web.comand: unknown key; did you mean `command`?" in text
    assert "../x" in text
    assert lines[-1] == f"{len(lines) - 1} problems; nothing was changed"
    assert snapshot(place) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--data", "absent.yaml"), "absent.yaml: cannot read it: "),
        (("--hiera-config", "absent.yaml"), "absent.yaml: cannot read it: "),
        (("--hiera-config", "hiera.yaml", "--facts", "absent.yaml"), "absent.yaml: cannot read it: "),
        (("--data", "broken.yaml"), "broken.yaml:3:1: not YAML: "),
        (("--data", "empty.yaml"), "empty.yaml:1:1: "),
        (("--data", "list.yaml"), "list.yaml:1:1: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_file_that_is_missing_or_malformed_is_said_with_its_place(
    road: Road, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "hiera.yaml").write_text("version: 5\n")
    (tmp_path / "broken.yaml").write_text("runit:\n  services: [a,\n")
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "list.yaml").write_text("[1]\n")
    result = road("apply", *arguments)
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith(said)
    assert result.err.endswith("1 problem; nothing was changed\n")


@pytest.mark.shows("roads", "command line", "unreadable data")
def test_a_file_that_may_not_be_read_is_said_with_what_to_do(tmp_path: Path) -> None:
    data = tmp_path / "data.yaml"
    data.write_text("runit: {}\n")
    data.chmod(0)
    setpriv = oracle.program("setpriv", package="util-linux")
    mortal = [setpriv, "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    done = subprocess.run([*mortal, PROGRAM, "apply", "--data", data], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"{data}: cannot read it: Permission denied; run as a user who may read it, or change its mode\n"
        "1 problem; nothing was changed\n"
    )


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A minimal one: two accounts, and nothing else that a distribution brings."""
    oracle.root("an image with accounts of its own")
    root = tmp_path / "image"
    for name in ("etc", "home/joe"):
        (root / name).mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\njoe:x:4711:4711:Joe:/home/joe:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\njoe:x:4711:\n")
    os.chown(root / "home/joe", 4711, 4711)
    return root


WHOLE = """\
runit:
  runtime: none
  services:
    web: {command: [sleep, "1000"]}
  users:
    joe:
      services:
        own: {command: [sleep, "1000"]}
"""


def test_an_image_without_profile_d_and_var_log_gets_them_and_a_rollback_takes_them_back(tmp_path: Path, image: Path) -> None:
    file = tmp_path / "data.yaml"
    file.write_text(WHOLE)
    applied = runit_provision("apply", "--root", image, "--data", file)
    assert (applied.status, applied.err) == (0, "")
    assert "/home/joe/service" in (image / "etc/profile.d/runit-provision.sh").read_text()
    assert [oct((image / name).stat().st_mode & 0o7777) for name in ("etc/profile.d", "var", "var/log")] == ["0o755"] * 3
    assert runit_provision("check", "--root", image, "--data", file).status == 0
    assert runit_provision("rollback", "--root", image).status == 0
    assert not (image / "etc/profile.d").exists()
    assert not (image / "var/log").exists()


@pytest.mark.parametrize("command", ["plan", "check", "apply"])
def test_a_limit_above_the_hard_one_is_refused_on_a_host_and_assumed_to_be_right_in_an_image(
    tmp_path: Path, image: Path, command: str
) -> None:
    file = tmp_path / "data.yaml"
    file.write_text(WHOLE.replace('"1000"]}', '"1000"], limits: {files: 99999999999}}', 1).partition("  users:")[0])
    refused = runit_provision(command, "--data", file, env={"RUNIT_PROVISION_LIB": str(tmp_path / "lib")})
    assert (refused.status, refused.out) == (1, "")
    said, last = refused.err.splitlines()
    assert said.startswith(f"{file}:4:46: runit.services.web.limits.files: 99999999999 is above the hard limit of ")
    assert last == "1 problem; nothing was changed"
    image_too = runit_provision(command, "--root", image, "--data", file)
    assert image_too.status == (0 if command == "apply" else 2)
    assert "99999999999 is more than the 1048576 that Linux gives at most: it is assumed that the image has more" in image_too.err


def test_places_of_the_system_that_are_links_are_used_where_they_lead(tmp_path: Path, image: Path) -> None:
    file = tmp_path / "data.yaml"
    file.write_text(WHOLE)
    for name, target in (("var/log", "../srv/logs"), ("etc/service", "/srv/service")):
        (image / name).parent.mkdir(exist_ok=True)
        (image / name).symlink_to(target)
        (image / "srv" / Path(target).name).mkdir(parents=True)
    applied = runit_provision("apply", "--root", image, "--data", file)
    assert (applied.status, applied.err) == (0, "")
    assert (image / "srv/service/web").is_symlink()
    assert (image / "srv/logs/runit").is_dir()
    assert runit_provision("check", "--root", image, "--data", file).status == 0


@pytest.mark.parametrize("command", ["plan", "check", "apply"])
def test_every_directory_that_is_missing_is_said_at_once_with_its_key(tmp_path: Path, image: Path, command: str) -> None:
    file = tmp_path / "data.yaml"
    file.write_text(
        WHOLE
        + "  service_directory: /srv/service\n  definitions: /usr/share/sv\n  log_directory: /mnt/logs/runit\n  profile: /opt/x.sh\n"
    )
    before = snapshot(image)
    result = runit_provision(command, "--root", image, "--data", file)
    assert (result.status, result.out) == (1, "")
    *lines, last = result.err.splitlines()
    hint = "make it first (a disk that is not mounted?), or choose another place"
    assert sorted(line.split(": ", 2)[1:] for line in lines if line.endswith(f"; {hint}")) == [
        ["runit.definitions", f"{image}/usr/share: no such directory, and /usr/share/sv is to lie in it; {hint}"],
        ["runit.log_directory", f"{image}/mnt/logs: no such directory, and /mnt/logs/runit is to lie in it; {hint}"],
        ["runit.profile", f"{image}/opt: no such directory, and /opt/x.sh is to lie in it; {hint}"],
        ["runit.service_directory", f"{image}/srv: no such directory, and /srv/service is to lie in it; {hint}"],
    ]
    assert last == "4 problems; nothing was changed"
    left = {path: content for path, content in snapshot(image).items() if "var" not in path}
    assert left == before


def test_a_target_that_cannot_be_written_is_said_and_nothing_is_changed(road: Road, data: Path, place: Path, tmp_path: Path) -> None:
    before = snapshot(place)
    if os.geteuid() == 0:
        mount = f"mount --bind {place} {place} && mount -o remount,ro,bind {place} && exec {PROGRAM} apply --data {data}"
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", mount],
            env={**os.environ, "RUNIT_PROVISION_LIB": str(tmp_path / "lib")},
            capture_output=True,
            text=True,
            check=False,
        )
        result = Result(done.returncode, done.stdout, done.stderr)
    else:
        place.chmod(0o555)
        result = road("apply", "--data", data)
        place.chmod(0o755)
    assert result.status == 1
    assert str(place) in result.err
    assert "Traceback" not in result.err
    assert snapshot(place) == before


@pytest.mark.parametrize("command", ["apply", "rollback"])
def test_an_image_that_was_mounted_read_only_meanwhile_is_one_problem(command: str, tmp_path: Path) -> None:
    oracle.root("mounts")
    image = tmp_path / "image"
    (image / "etc").mkdir(parents=True)
    (image / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (image / "etc/group").write_text("root:x:0:\n")
    library = image / "var/lib/runit-provision"
    library.mkdir(parents=True, mode=0o700)
    data = tmp_path / "data.yaml"
    data.write_text("runit: {services: {web: {command: [sleep, '9']}}}\n")
    what = f"{command} --root {image}" + (f" --data {data}" if command == "apply" else "")
    mount = f"mount --bind {image} {image} && mount -o remount,ro,bind {image} && exec {PROGRAM} {what}"
    done = subprocess.run(["unshare", "--mount", "sh", "-c", mount], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
    hint = "mount its filesystem for writing, then apply again"
    said = {
        "apply": f"{image}/var/lib/runit-provision/lock: cannot be opened for writing: Read-only file system; {hint}",
        "rollback": f"{image}/var/lib/runit-provision: there is no apply to roll back",
    }
    assert lines == [said[command], "1 problem; nothing was changed"]


def test_a_disk_that_is_full_when_all_is_done_leaves_nothing_that_the_next_apply_does_not_complete(
    road: Road, data: Path, tmp_path: Path
) -> None:
    oracle.root("mounts")
    (tmp_path / "lib").mkdir()
    # a page for the lock, one for what was remembered before, and two for the journal
    mount = f"mount -t tmpfs -o size=16k none {tmp_path}/lib && exec {PROGRAM} apply --data {data}"
    environment = {**os.environ, "RUNIT_PROVISION_LIB": str(tmp_path / "lib")}
    done = subprocess.run(["unshare", "--mount", "sh", "-c", mount], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()) == (
        1,
        [
            f"{tmp_path}/lib/manifest.json: cannot be written: No space left on device; "
            "make room on its filesystem (blocks or inodes), then apply again",
            "1 problem; what was begun, the next `apply` completes, and `rollback` takes back",
        ],
    )
    assert road("apply", "--data", data).status == 0


def test_another_apply_holds_the_lock_and_who_only_looks_is_told_so(road: Road, data: Path, tmp_path: Path) -> None:
    lock = tmp_path / "lib/lock"
    held = rf"{lock}: held by pid {os.getpid()} \(apply\) since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d"
    look = "what that has not done yet is seen here as a difference, or as left behind; look again when it is done"
    with pytest.raises(ZeroDivisionError), Machine(place=tmp_path / "lib") as machine, machine.lock():
        applied, looked = road("apply", "--data", data), road("check", "--data", data, "--format", "json")
        raise ZeroDivisionError
    assert applied.status == 3
    assert re.fullmatch(rf"{held}; wait for it with --lock-timeout\n1 problem; nothing was changed\n", applied.err)
    assert looked.status == 2
    assert re.fullmatch(rf"warning: {held}: {look}\n", looked.err)
    assert [f"warning: {warning}\n" for warning in json.loads(looked.out)["warnings"]] == [looked.err]
    assert (lock.read_text(), road("check", "--data", data).err) == ("", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check",), "Give either --hiera-config FILE or --data FILE."),
        (("check", "--data", "a", "--hiera-config", "b"), "Give either --hiera-config FILE or --data FILE."),
        (("check", "--hiera-config", "hiera.yaml", "--fact", "role"), "'role' is neither NAME=TEXT nor NAME:=VALUE"),
        (("check", "--hiera-config", "hiera.yaml", "--fact", "=x"), "'=x' is neither NAME=TEXT nor NAME:=VALUE"),
        (("check", "--hiera-config", "hiera.yaml", "--fact", "a..b=x"), "'a..b=x' is neither NAME=TEXT nor NAME:=VALUE"),
        (("check", "--data", "a", "--root", "/nowhere"), "'/nowhere' does not exist"),
        (("chekc",), "No such command 'chekc'"),
        (("check", "--dta", "x"), "No such option '--dta'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_usage_is_status_64(road: Road, arguments: tuple[str, ...], said: str) -> None:
    result = road(*arguments)
    assert (result.status, result.out) == (64, "")
    assert said in result.err


def test_single_facts_choose_levels(road: Road, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "hiera.yaml").write_text(
        'version: 5\nhierarchy:\n  - {name: os, path: "%{facts.os.family}.yaml"}\n  - {name: node, path: "%{trusted.certname}.yaml"}\n'
    )
    (tmp_path / "data/Debian.yaml").write_text("a: from the family\n")
    (tmp_path / "data/web1.yaml").write_text("a: from the node\nb: from the node too\n")
    options = ("--hiera-config", "hiera.yaml", "--fact", "os.family=Debian", "--node", "web1")
    assert road("lookup", "a", *options).out == "from the family\n"
    assert road("lookup", "b", *options).out == "from the node too\n"
    assert road("lookup", "c", *options).status == 1


# How it behaves in a shell.


HEAVY = {"rich", "pydantic", "jinja2", "yaml", "ruamel", "pytest", "importlib.metadata"}
"""What only some commands need, and takes longer to import than all else of the others."""
PARTS = {f"runit_provision.{part}" for part in ("hiera", "schema", "render", "host", "plan", "apply", "verify")}


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (("--version",), HEAVY | PARTS),
        (("--help",), HEAVY | PARTS),
        (("check", "--help"), HEAVY | PARTS),
        (
            ("check", "--data", "data.yaml"),
            {
                "rich",
                "ruamel",
                "pytest",
                "testinfra",
                "runit_provision.apply",
                "runit_provision.verify",
                "runit_provision.hiera.hierarchy",
            },
        ),
    ],
    ids=["--version", "--help", "check --help", "check"],
)
def test_nothing_is_imported_that_is_not_needed(data: Path, tmp_path: Path, arguments: tuple[str, ...], unwanted: set[str]) -> None:
    assert unneeded(arguments, unwanted, tmp_path) == set()


@pytest.mark.parametrize("runtime", ["none", "shipped"])
@pytest.mark.parametrize("command", ["apply", "check", "plan"])
def test_where_nothing_is_to_be_done_nothing_is_imported_that_would_do_it(
    road: Road, data: Path, tmp_path: Path, command: str, runtime: str
) -> None:
    data.write_text(data.read_text().replace("runtime: none", f"runtime: {runtime}"))
    assert road("apply", "--data", "data.yaml").status == 0
    unwanted = HEAVY | {f"runit_provision.{part}" for part in ("hiera", "schema", "render", "verify", "host.package")}
    assert unneeded((command, "--data", "data.yaml"), unwanted, tmp_path) == set()


def test_what_asks_how_services_fare_imports_nothing_that_reads_data(road: Road, data: Path, tmp_path: Path) -> None:
    assert road("apply", "--data", "data.yaml").status == 0
    unwanted = HEAVY | {f"runit_provision.{part}" for part in ("hiera", "schema", "render", "apply", "verify", "host.package")}
    assert unneeded(("status", "--format", "json"), unwanted, tmp_path) == set()


def unneeded(arguments: tuple[str, ...], unwanted: set[str], folder: Path) -> set[str]:
    """Give what of `unwanted`, modules and whatever lies in them, a command imports in `folder`."""
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, cwd=folder, check=False, env=with_import_time(folder))
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "click" in imported
    return {name for name in imported if any(name == root or name.startswith(f"{root}.") for root in unwanted)}


def with_import_time(place: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPROFILEIMPORTTIME": "1", "RUNIT_PROVISION_LIB": str(place / "lib")}


@pytest.mark.parametrize("words", [("plan", "--data", "{data}"), ("--help",), ("plan", "--data", "{data}", "--format", "json")])
def test_a_reader_that_has_gone_away_is_no_error(road: Road, data: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        arguments = [word.format(data=data) for word in words]
        environment = {**os.environ, "RUNIT_PROVISION_LIB": str(tmp_path)}
        done = subprocess.run([PROGRAM, *arguments], stdout=nobody, stderr=subprocess.PIPE, env=environment, check=False)
    assert done.stderr == b""


def test_colours_only_where_they_are_wanted(road: Road, data: Path) -> None:
    assert "\x1b[" not in road("plan", "--data", data).out
    assert "\x1b[32m" in road("plan", "--data", data, "--color", "always").out


def test_the_schema_is_json(road: Road) -> None:
    assert json.loads(road("schema").out)["properties"].keys() >= {"runit"}
    assert json.loads(road("schema", "--plan").out)["properties"].keys() >= {"paths", "services"}


def test_status_tells_of_what_was_applied(road: Road, data: Path) -> None:
    assert road("status").out == "no services; `apply` has made none here\n"
    road("apply", "--data", data)
    assert [line.split() for line in road("status").out.splitlines()[1:]] == [["web", "not", "supervised", "-", "0", "s", "down"]]
