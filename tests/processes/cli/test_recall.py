"""`check` does not look up and render again what cannot have changed; and nothing that an answer comes from changes unseen."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from support import oracle
from support.command import PROGRAM, Result, runit_provision
from support.inputs import SECRET, World

from runit_provision.app import provision
from runit_provision.app.desired import desire
from runit_provision.app.layers import Layers
from runit_provision.app.recall import recall
from runit_provision.app.source import Source
from runit_provision.app.target import Target
from runit_provision.host import accounts
from runit_provision.inputs import Inputs

_CHECK = """
import sys
from runit_provision.cli import main
status = main(sys.argv[1:])
print('jinja2' in sys.modules, 'pydantic' in sys.modules, 'yaml' in sys.modules)
sys.exit(status)
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Data that were applied by this process, which stands in their folder."""
    made = World(tmp_path)
    monkeypatch.chdir(made.folder)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    apply(made)
    return made


def apply(world: World) -> None:
    report = provision.apply(world.source, Target(), lock_timeout=0, service_timeout=20, announce=lambda _: None)
    assert report.ok, report.problems


def is_recalled(world: World) -> bool:
    with Target().machine() as machine:
        return recall(world.source, Target(), machine) is not None


def run(world: World, command: str) -> Result:
    return runit_provision(command, *world.options)


def without_memory(world: World) -> bytes:
    """Forget what was asked; give the manifest as it was."""
    manifest = world.library / "manifest.json"
    kept = manifest.read_bytes()
    manifest.write_text(json.dumps({**json.loads(kept), "answer": None}))
    return kept


def answer(world: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((world.library / "manifest.json").read_bytes())["answer"]
    return found


def asked(world: World) -> list[tuple[str, str]]:
    return [(kind, name) for kind, name in answer(world)["asked"]]


def test_what_has_not_changed_is_not_looked_up_again_and_the_answer_is_the_same(world: World) -> None:
    done = subprocess.run([sys.executable, "-c", _CHECK, "check", *world.options], capture_output=True, text=True, check=True)
    *lines, imported = done.stdout.splitlines(keepends=True)
    assert imported == "False False False\n"
    commands = ("check", "plan", "apply")
    short = {command: run(world, command) for command in commands}
    assert short == dict.fromkeys(commands, Result(0, "".join(lines), done.stderr))
    without_memory(world)
    assert not is_recalled(world)
    assert {command: run(world, command) for command in commands} == short


def test_no_secret_and_nothing_to_find_one_by_is_in_what_is_remembered_of_the_question(world: World) -> None:
    manifest = world.library / "manifest.json"
    answer = json.dumps(json.loads(manifest.read_bytes())["answer"])
    assert SECRET not in answer
    assert world.private.splitlines()[1] not in answer
    assert len(re.findall(r"[0-9a-f]{64}", answer)) == 1
    assert manifest.stat().st_mode & 0o777 == 0o600


def becomes_a_link(world: World) -> None:
    (world.folder / "data/parts/deep").rename(world.folder / "aside")
    (world.folder / "data/parts/deep").symlink_to(world.folder / "aside")


INPUTS: dict[str, Callable[[World], object]] = {
    "a data file": lambda world: world.add("data/common.yaml", "# x\n"),
    "a data file that goes": lambda world: (world.folder / "data/roles/web.yaml").unlink(),
    "a path that was not there": lambda world: world.write("data/nodes/n1.example.org.yaml", "{}\n"),
    "a mapped path that was not there": lambda world: world.write("data/roles/db.yaml", "{}\n"),
    "a file in a glob's folder": lambda world: world.write("data/parts/three.yaml", "{}\n"),
    "a folder in a glob's folder": lambda world: world.write("data/parts/deeper/four.yaml", "{}\n"),
    "a folder that becomes a link": becomes_a_link,
    "hiera.yaml": lambda world: world.add("hiera.yaml", "# x\n"),
    "an environment's hiera.yaml": lambda world: world.write("environments/production/hiera.yaml", "version: 5\n"),
    "a module's hiera.yaml": lambda world: world.write("modules/runit/hiera.yaml", "version: 5\nhierarchy: []\n"),
    "a module's data": lambda world: world.add("modules/runit/data/common.yaml", "runit::logdir: /var\n"),
    "a module in an earlier folder": lambda world: world.write("elsewhere/runit/hiera.yaml", "version: 5\nhierarchy: []\n"),
    "the facts": lambda world: world.add("facts.yaml", "more: 1\n"),
    "a public key": lambda world: world.add("public.pem", "\n"),
    "a secret": lambda world: world.write("data/secrets.eyaml", "runit: {services: {web: {env: {PASSWORD: other}}}}\n"),
}


@pytest.mark.parametrize("change", INPUTS.values(), ids=INPUTS)
def test_a_change_of_any_file_is_seen(world: World, change: Callable[[World], object]) -> None:
    assert is_recalled(world)
    change(world)
    assert not is_recalled(world)


def test_a_change_of_any_option_is_seen(world: World) -> None:
    source = world.source
    others = {
        "node": "n2",
        "lenient": True,
        "facts": {"seconds": "7"},
        "trusted": {"extensions.pp_role": "web"},
        "facts_file": None,
        "ask_facter": True,
        "hiera_config": Path("./hiera.yaml").absolute(),
        "data": Path("data/common.yaml"),
        "layers": Layers(modulepath=(Path("modules"),)),
    }
    assert set(others) == set(source.__slots__)
    for name, value in others.items():
        world.source = replace(source, **{name: value})  # type: ignore[arg-type]
        assert not is_recalled(world), name


def test_the_same_question_in_another_folder_is_another(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(world.folder, tmp_path / "release")
    monkeypatch.chdir(tmp_path / "release")
    assert not is_recalled(world)


def test_what_comes_through_a_pipe_is_asked_for_as_often_as_a_file_is(world: World) -> None:
    words = [PROGRAM, "check", *map(str, world.options)]
    words[words.index("facts.yaml")] = "/dev/stdin"

    def piped(command: str, facts: str) -> tuple[int, str]:
        done = subprocess.run([PROGRAM, command, *words[2:]], input=facts, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    facts = (world.folder / "facts.yaml").read_text()
    assert piped("apply", facts) == (0, "")
    assert [piped("check", text)[0] for text in (facts, f"{facts}more: 1\n", facts.replace("1000", "2000"))] == [0, 0, 2]


@pytest.mark.parametrize("value", ["-----BEGIN", None], ids=["other", "none"])
def test_a_change_of_a_variable_is_seen(world: World, value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if value is None:
        monkeypatch.delenv("EYAML_PRIVATE")
    else:
        monkeypatch.setenv("EYAML_PRIVATE", value)
    assert not is_recalled(world)


def test_another_version_of_the_program_of_a_library_or_of_a_shell_is_another_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said() -> str:
        inputs = Inputs()
        inputs.ourselves()
        inputs.program(str(tmp_path / "sh"))
        return inputs.digest("")

    seen = [said()]
    (tmp_path / "library-1.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    seen.append(said())
    (tmp_path / "library-1.0.dist-info").rename(tmp_path / "library-1.1.dist-info")
    seen.append(said())
    monkeypatch.setattr(sys, "version", "3.99")
    seen.append(said())
    (tmp_path / "sh").write_text("one")
    (tmp_path / "sh").chmod(0o755)
    seen.append(said())
    (tmp_path / "sh").write_text("other")
    seen.append(said())
    assert len(set(seen)) == 6
    assert seen[-1] == said()


def test_an_input_that_changes_while_it_is_read_is_never_taken_for_known(tmp_path: Path) -> None:
    inputs = Inputs()
    (tmp_path / "file").write_text("one")
    inputs.file(str(tmp_path / "file"))
    inputs.file(str(tmp_path / "file"))
    assert inputs.repeatable
    (tmp_path / "file").write_text("two")
    inputs.file(str(tmp_path / "file"))
    assert not inputs.repeatable


HOST_CHANGES: dict[str, Callable[[Path], object]] = {
    "edited": lambda host: (host / "sv/web/run").write_text("#!/bin/sh\n"),
    "mode": lambda host: (host / "sv/web/run").chmod(0o700),
    "gone": lambda host: (host / "sv/web/finish").unlink(),
    "a link that goes": lambda host: (host / "service/web").unlink(),
    "a directory's mode": lambda host: (host / "sv/web/env").chmod(0o700),
}


def test_a_change_on_the_host_is_seen(world: World) -> None:
    for name, change in HOST_CHANGES.items():
        assert is_recalled(world), name
        change(world.host)
        assert not is_recalled(world), name
        apply(world)


def test_after_a_rollback_the_earlier_question_has_its_answer_again(world: World) -> None:
    before = (world.folder / "facts.yaml").read_text()
    world.write("facts.yaml", "seconds: 2\nroles: []\n")
    apply(world)
    assert is_recalled(world)
    provision.rollback(Target(), lock_timeout=0, service_timeout=20)
    assert not is_recalled(world)
    world.write("facts.yaml", before)
    assert is_recalled(world)


def test_an_apply_that_has_nothing_to_do_remembers_what_it_was_asked_and_once_only(world: World) -> None:
    world.write("data/nodes/n1.example.org.yaml", "{}\n")
    assert not is_recalled(world)
    apply(world)
    assert is_recalled(world)
    manifest = (world.library / "manifest.json").read_bytes()
    assert without_memory(world) == manifest
    world.add("facts.yaml", "")
    (world.library / "manifest.json").write_bytes(manifest)
    apply(world)
    assert (world.library / "manifest.json").read_bytes() == manifest


def test_an_apply_that_was_killed_is_not_forgotten(world: World) -> None:
    (world.library / "journal").write_bytes((world.library / "last").read_bytes())
    assert not is_recalled(world)


def test_what_a_killed_apply_had_half_written_goes_though_there_is_nothing_to_do(world: World) -> None:
    left = world.library / ".runit-provision.before.20260101T000000.000000001.1.json"
    left.write_text("{")
    assert is_recalled(world)
    apply(world)
    assert not left.exists()
    assert is_recalled(world)


_ZIP = f"/lib/python{sys.version_info.major}{sys.version_info.minor}.zip"
_CALL = re.compile(rb'^\d+ +(\w+)\(([^"]*)"((?:[^"\\]|\\.)*)"')


def _looked_at(trace: bytes, folder: Path) -> Iterator[str]:
    """Give every path that a traced process looked at, made absolute; what it reached through a descriptor is the host's."""
    for line in trace.splitlines():
        call = _CALL.match(line)
        if call and call[1] != b"execve" and call[2] in (b"", b"AT_FDCWD, "):
            yield os.path.normpath(folder / call[3].decode())


def test_every_path_that_is_looked_at_is_an_input_that_is_remembered(world: World, tmp_path: Path) -> None:
    strace = [oracle.program("strace", package="strace"), "-f", "-qq", "-s", "4096", "-e", "trace=%file", "-e", "signal=none"]
    (world.library / "manifest.json").unlink()
    subprocess.run([*strace, "-o", tmp_path / "log", PROGRAM, "apply", *world.options], check=True, capture_output=True)
    known = {os.path.normpath(world.folder / name) for _, name in asked(world) if name}
    # Whether the programs that scripts call are there, is asked anew each time.
    called = [program for program, _ in answer(world)["called"]]
    named = [Path(name) for name in (*called, *(name for kind, name in asked(world) if kind == "program"))]
    programs = {str(path) for name in named for path in (name, name.resolve(), name.parent.resolve() / name.name)}
    python = {
        *filter(None, sys.path),
        sys.prefix,
        sys.base_prefix,
        str(Path(PROGRAM).parent),
        str(Path(sys.executable).resolve().parent),
    }
    system = {"/proc", "/dev", "/sys", "/lib", "/usr/lib", "/lib64", "/usr/share/locale", "/etc/ld.so", "/etc/localtime", "/opt/pyca"}
    system |= {"/etc/nsswitch.conf", "/etc/passwd", "/etc/group"}
    others = (*python, *system, str(world.host), str(world.library))
    seen = {path for path in _looked_at((tmp_path / "log").read_bytes(), world.folder) if not path.endswith(_ZIP)}
    above = {str(folder) for path in (*known, *programs, *python, *system) for folder in (Path(path).parents)}
    assert seen >= {str(world.folder / name) for name in ("data/common.yaml", "data/nodes/n1.example.org.yaml", "public.pem")}
    assert {path for path in seen - known - programs - above if not path.startswith(others)} == set()


class Heard(dict[str, str]):
    """An environment that remembers which variables were asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.names: set[object] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.names.add(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self.names.add(name)
        return super().__contains__(name)


def test_every_variable_that_is_read_is_remembered_and_no_clock_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> NoReturn:
        raise AssertionError("the clock was asked")

    heard = Heard(os.environ)
    inputs = Inputs()
    with monkeypatch.context() as patches:
        patches.setattr(os, "environ", heard)
        for name in ("time", "time_ns", "localtime", "gmtime", "strftime"):
            patches.setattr(time, name, refused)
        desired = desire(world.source, accounts.read(), inputs)
    assert desired.tree.services
    assert "EYAML_PRIVATE" in heard.names
    assert heard.names <= {name for kind, name in inputs.questions if kind == "variable"}


@pytest.mark.parametrize("change", [("joe:x:4711:", "joe:x:4713:"), ("/home/joe:", "/srv/joe:")], ids=["number", "home"])
def test_a_change_of_an_account_of_an_image_is_seen(tmp_path: Path, change: tuple[str, str]) -> None:
    oracle.root("an image with accounts of its own")
    root, data = tmp_path / "root", tmp_path / "data.yaml"
    for folder in ("etc", "var/log", "home/joe", "srv/joe"):
        (root / folder).mkdir(parents=True)
        os.chown(root / folder, *((4711, 4712) if "joe" in folder else (0, 0)))
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\njoe:x:4711:4712:Joe:/home/joe:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\njoe:x:4712:\n")
    data.write_text("runit: {runtime: none, users: {joe: {services: {a: {command: [a]}}}}}\n")
    words = ("--data", data, "--root", root)
    assert runit_provision("apply", *words).status == 0
    target, source = Target(root=root), Source(data=data)
    with target.machine() as machine:
        assert recall(source, target, machine)
    (root / "etc/passwd").write_text((root / "etc/passwd").read_text().replace(*change))
    with target.machine() as machine:
        assert recall(source, target, machine) is None
