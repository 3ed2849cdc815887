"""chpst's words: what it refuses, how it looks the program up, what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.programs import Said, run

Called = Callable[[str], list[Path]]


def both(called: Called, name: str, words: list[str | bytes], **options: object) -> list[Said]:
    """Give what both say, the option -C, which is younger than the C program, left out of the usage."""
    said = [run(program, words, **options) for program in called(name)]  # type: ignore[arg-type]
    return [each._replace(err=each.err.replace(b"[-C pwd] ", b"")) for each in said]


@pytest.mark.covers("chpst", "exit 100")
@pytest.mark.parametrize(
    "words",
    [
        [],
        ["-v"],
        ["-z", "true"],
        ["-vz", "true"],
        ["-u"],
        ["-m", "x", "true"],
        ["-m", "1x", "true"],
        ["-m", "x", "-z"],
        ["-m", "-5", "true"],
        ["-n", "x", "true"],
        ["-n", "--5", "true"],
        ["-l", "a", "-L", "b", "true"],
        ["-l", "a", "-l", "a", "true"],
        ["-", "true"],
        ["--"],
    ],
    ids=repr,
)
def test_wrong_words_get_the_usage(called: Called, words: list[str | bytes]) -> None:
    said = both(called, "chpst", words)
    assert said[1] == said[0]


@pytest.mark.parametrize("name", ["setuidgid", "envuidgid", "envdir", "pgrphack", "setlock", "softlimit", "denvdir"])
@pytest.mark.parametrize("words", [[], ["-z"], ["a"], ["-m", "x", "true"], ["-n"]], ids=repr)
def test_wrong_words_to_daemontools_programs_get_theirs(called: Called, name: str, words: list[str | bytes]) -> None:
    said = both(called, name, words)
    assert said[1] == said[0]


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A $PATH of every kind of folder: with a tool, with one that is not executable, with a folder of its name, missing, empty."""
    for folder in ("no", "folder", "found"):
        (tmp_path / folder).mkdir()
    (tmp_path / "no/tool").write_text("#!/bin/sh\necho no\n")
    (tmp_path / "folder/tool").mkdir()
    (tmp_path / "found/tool").write_text('#!/bin/sh\necho "yes $*"\n')
    (tmp_path / "found/tool").chmod(0o755)
    (tmp_path / "no-interpreter").write_text("#!/nowhere/sh\n")
    (tmp_path / "no-format").write_text("echo x\n")
    for name in ("no-interpreter", "no-format"):
        (tmp_path / name).chmod(0o755)
    return ":".join(str(tmp_path / folder) for folder in ("no", "folder", "missing", "found"))


@pytest.mark.parametrize(
    "words",
    [
        ["tool", "a", "b c"],
        ["tool", b"\xff", ""],
        ["nope"],
        [""],
        ["./nope"],
        ["no-interpreter"],
        ["no-format"],
        ["found/tool"],
        ["-b", "other", "nope"],
        ["found"],
        ["x" * 300],
    ],
    ids=repr,
)
def test_the_program_is_looked_up_the_same(called: Called, tmp_path: Path, path: str, words: list[str | bytes]) -> None:
    for env in ({"PATH": path}, {"PATH": f"{path}:"}, {"PATH": f":{path}"}, {"PATH": ""}, {}):
        said = both(called, "chpst", words, cwd=tmp_path, env=env)
        assert said[1] == said[0], env


def test_the_callers_path_finds_the_program_and_env_gives_it_another(called: Called, tmp_path: Path, path: str) -> None:
    (tmp_path / "env").mkdir()
    (tmp_path / "env/PATH").write_text("/elsewhere\n")
    said = both(called, "chpst", ["-e", "env", "tool"], cwd=tmp_path, env={"PATH": path})
    assert said[1] == said[0] == Said(0, b"yes \n", b"")


def test_an_unreadable_variable_fails(called: Called, tmp_path: Path) -> None:
    (tmp_path / "env").mkdir()
    (tmp_path / "env/LOOP").symlink_to("LOOP")
    said = both(called, "chpst", ["-e", "env", "true"], cwd=tmp_path)
    assert said[1] == said[0] == Said(111, b"", b"chpst: fatal: unable to read env/LOOP: symbolic link loop\n")


def test_a_variable_that_vanishes_is_left_as_it_was(called: Called, tmp_path: Path) -> None:
    (tmp_path / "env").mkdir()
    (tmp_path / "env/OTHER").write_text("other\n")
    (tmp_path / "env/VANISHED").symlink_to("nowhere")
    said = run(called("chpst")[1], ["-e", "env", "env"], cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "VANISHED": "was"})
    assert sorted(said.out.splitlines())[0] == b"OTHER=other"
    assert b"VANISHED=was" in said.out.splitlines()


def test_the_exit_status_is_the_programs(called: Called) -> None:
    said = both(called, "chpst", ["sh", "-c", "exit 42"])
    assert said[1] == said[0] == Said(42, b"", b"")
    said = both(called, "chpst", ["sh", "-c", "kill $$"])
    assert said[1] == said[0] == Said(-15, b"", b"")
