"""chpst changes the process state as C's does, option by option and in any combination."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import compared, oracle
from support.state import PROGRAM, become

Called = Callable[[str], list[Path]]
ENV = {b"PATH": b"/usr/bin:/bin", b"KEEP": b"1", b"GONE": b"2", b"LANG": b"C", b"\xff": b"\xfe"}
EXAMPLES = 500 if os.environ.get("HARNESS") == "all" else 60
CHILD: list[str | bytes | Path] = [PROGRAM, "1000"]


@pytest.fixture(scope="module")
def cwd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an env/ of every kind of file, and a lock that anyone may take."""
    folder = tmp_path_factory.mktemp("cwd")
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o755)
    env = folder / "env"
    env.mkdir()
    contents = {
        "PLAIN": b"value\n",
        "NONL": b"no newline",
        "BLANKS": b" kept, cut \t \n",
        "LINES": b"first\nsecond\n",
        "EMPTYLINE": b"\n",
        "GONE": b"",
        "ABSENT": b"",
        "NULLS": b"a\0b\0\nc",
        "PATH": b"/nowhere\n",
        "LONG": b"x" * 100_000 + b"\n",
        "A=B": b"c\n",
        "C=D": b"",
        "=E": b"f\n",
        "==G": b"h\n",
        ".HIDDEN": b"x\n",
        "with space": b"x",
        "umlaut\udcfc": b"\xfc\n",
    }
    for name, content in contents.items():
        (env / name).write_bytes(content)
    (env / "folder").mkdir()
    (folder / "lock").touch()
    (folder / "lock").chmod(0o666)
    return folder


def states(
    programs: list[Path], words: list[str], *, cwd: Path, child: list[str | bytes | Path] | None = None
) -> list[dict[str, object]]:
    return [become([program, *words, *(child or CHILD)], cwd=cwd, env=ENV) for program in programs]


OPTIONS = [
    [],
    ["-u", "nobody"],
    ["-u", "nobody:daemon"],
    ["-u", "nobody:daemon:adm:root"],
    ["-u", ":12345:54321:1:2"],
    ["-U", "nobody"],
    ["-U", "nobody:daemon:adm"],
    ["-U", ":1:2"],
    ["-b", "sleep"],
    ["-e", "env"],
    ["-e", "./env/"],
    ["-v", "-e", "env"],
    ["-/", "JAIL"],
    ["-/", "JAIL/inner/.."],
    ["-n", "5"],
    ["-n", "+5"],
    ["-n", "-5"],
    ["-n", "100"],
    ["-n", "0"],
    ["-l", "lock"],
    ["-L", "lock"],
    ["-L", "new-lock"],
    ["-m", "50000000"],
    ["-d", "50000000"],
    ["-o", "20"],
    ["-o", "99999999999"],
    ["-p", "100"],
    ["-p", "0"],
    ["-f", "1000"],
    ["-f", "0"],
    ["-c", "0"],
    ["-c", "1000"],
    ["-r", "1000000"],
    ["-t", "10"],
    ["-c", ""],
    ["-c", "18446744073709551615"],
    ["-c", "18446744073709551614"],
    ["-P"],
    ["-0"],
    ["-1"],
    ["-2"],
    ["-v"],
    ["-012P"],
    ["-0", "-0"],
    ["--"],
]


def _marked(words: list[str]) -> object:
    is_one = len(words) > 0 and len(words[0]) == len("-u") and words[0] != "--"
    return pytest.param(words, marks=pytest.mark.covers("chpst", words[0]) if is_one else ())


@pytest.mark.parametrize("words", list(map(_marked, OPTIONS)), ids=repr)
def test_an_option_changes_the_same(called: Called, cwd: Path, jail: Path, words: list[str]) -> None:
    oracle.root("identities, roots and nice levels change")
    oracle_state, ours = states(called("chpst"), [word.replace("JAIL", str(jail)) for word in words], cwd=cwd)
    assert ours == oracle_state
    assert "descriptors" in ours


FAILURES = [
    ["-u", "nobody:nope"],
    ["-u", "nope"],
    ["-u", ""],
    ["-u", "root:"],
    ["-u", ":"],
    ["-u", ":1"],
    ["-u", ":a:b"],
    ["-U", "nope"],
    ["-e", "nope"],
    ["-e", ""],
    ["-e", "lock"],
    ["-/", "nope"],
    ["-l", "nope/lock"],
    ["-l", "env"],
    ["-L", ""],
    ["-/", "env"],
    ["-o", "0"],
    ["-m", "0"],
    ["-d", "0"],
    ["-m", "100000"],
    ["-0", "-e", "nope"],
]


@pytest.mark.covers("chpst", "exit 111")
@pytest.mark.parametrize("words", FAILURES, ids=repr)
def test_what_cannot_be_done_fails_the_same(called: Called, cwd: Path, words: list[str]) -> None:
    oracle.root("identities and roots change")
    oracle_state, ours = states(called("chpst"), words, cwd=cwd)
    assert ours == oracle_state


USER = st.sampled_from(["nobody", "nobody:daemon", "daemon:adm:nogroup", ":1:2:3", ":0:0", "nope", "root"])
SIZE = st.sampled_from(["", "=", "0", "1", "60000000", "4294967296", "99999999999999999999999", "1x"])
OPTION = st.one_of(
    st.tuples(st.sampled_from(["-u", "-U"]), USER),
    st.tuples(st.sampled_from(["-d", "-o", "-p", "-f", "-c", "-r"]), SIZE.filter(lambda size: size not in ("", "0", "1"))),
    st.tuples(st.just("-t"), st.sampled_from(["100", "99999"])),
    st.tuples(st.just("-e"), st.sampled_from(["env", "./env", "nope"])),
    st.tuples(st.just("-/"), st.sampled_from(["JAIL", "/", "nope"])),
    st.tuples(st.just("-n"), st.sampled_from(["1", "-1", "+19", "x", "-"])),
    st.tuples(st.sampled_from(["-l", "-L"]), st.sampled_from(["lock", "/tmp/", "nope/lock"])),
    st.tuples(st.just("-b"), st.sampled_from(["sleep", "-x", "long name"])),
    st.tuples(st.sampled_from(["-P", "-0", "-1", "-2", "-v", "-01", "-Pv"])),
)


@settings(
    max_examples=500 if os.environ.get("HARNESS") == "all" else 60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(options=st.lists(OPTION, max_size=6))
def test_any_combination_changes_the_same(called: Called, cwd: Path, jail: Path, options: list[tuple[str, ...]]) -> None:
    oracle.root("identities, roots and nice levels change")
    words = [word.replace("JAIL", str(jail)) for option in options for word in option]
    oracle_state, ours = states(called("chpst"), words, cwd=cwd)
    if isinstance(said := ours.get("err"), bytes):
        ours["err"] = said.replace(b"[-C pwd] ", b"")
    assert ours == oracle_state
    compared.drew(len(options))


def _named(name: str, words: list[str]) -> object:
    options = [f"as {name} {word}" for word in words if re.fullmatch("-[a-zA-Z]", word) and name in ("setlock", "softlimit")]
    return pytest.param(name, words, marks=pytest.mark.covers("chpst", f"as {name}", *options))


AS_OTHERS = [
    ("setuidgid", ["nobody"]),
    ("setuidgid", ["nobody:daemon"]),
    ("setuidgid", [":1:2"]),
    ("envuidgid", ["nobody"]),
    ("envuidgid", ["nope"]),
    ("envdir", ["good"]),
    ("envdir", ["env"]),
    ("denvdir", ["good"]),
    ("pgrphack", []),
    ("setlock", ["lock"]),
    ("setlock", ["-n", "-x", "lock"]),
    ("setlock", ["-N", "lock"]),
    ("setlock", ["-X", "lock"]),
    ("setlock", ["-nx", "lock"]),
    ("setlock", ["nope/lock"]),
    ("setlock", ["-x", "nope/lock"]),
    ("setlock", ["-xX", "nope/lock"]),
    ("softlimit", ["-m", "50000000", "-c", "=", "-o", "50"]),
    ("softlimit", ["-s", "1000000", "-l", "4096", "-a", "100000000", "-d", "=", "-f", "7", "-p", "99", "-r", "1", "-t", "60"]),
    ("dsoftlimit", ["-c", "0"]),
    ("anything", ["-c", "0"]),
]


@pytest.mark.parametrize(("name", "words"), [_named(*each) for each in AS_OTHERS])
def test_by_another_name_it_is_daemontools_program(called: Called, cwd: Path, name: str, words: list[str]) -> None:
    oracle.root("identities change")
    good = cwd / "good"
    good.mkdir(exist_ok=True)
    (good / "ONE").write_text("1\n")
    oracle_state, ours = states(called(name), words, cwd=cwd)
    assert ours == oracle_state


@pytest.mark.covers("chpst", "-L", "as setlock -N", "as setlock -x")
@pytest.mark.parametrize(("name", "words"), [("chpst", ["-L"]), ("setlock", []), ("setlock", ["-x"]), ("setlock", ["-N"])], ids=repr)
def test_a_lock_that_another_holds(called: Called, cwd: Path, name: str, words: list[str]) -> None:
    with (cwd / "lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        oracle_state, ours = states(called(name), [*words, "lock"], cwd=cwd)
    assert ours == oracle_state
    assert "code" in ours


def test_it_runs_as_an_ordinary_user(called: Called, cwd: Path) -> None:
    oracle.root("becomes another user first")
    for words in (["-c", "0"], ["-u", "nobody"], ["-u", "root"], ["-/", "/"], ["-n", "-5"], ["-l", "lock"], ["-l", "new"], ["-P"]):
        said = [
            become([program, *words, *CHILD], cwd=cwd, env=ENV, user=65534, group=65534, extra_groups=()) for program in called("chpst")
        ]
        assert said[0] == said[1]


def test_root_is_not_had_by_a_typing_error(called: Called, cwd: Path) -> None:
    for words in ("::", ":1000:", ":1000::5", ":4294967296:0", ":4294967295:1"):
        ours = become([called("chpst")[1], "-u", words, *CHILD], cwd=cwd, env=ENV)
        assert ours == {"code": 111, "out": b"", "err": b"chpst: fatal: invalid uid/gids: " + words[1:].encode() + b"\n"}


def test_an_empty_argv0_is_refused(called: Called, cwd: Path) -> None:
    ours = become([called("chpst")[1], "-b", "", *CHILD], cwd=cwd, env=ENV)
    assert ours["err"] == b"chpst: fatal: unable to run: %s: its 0th argument must not be empty\n" % bytes(PROGRAM)


@pytest.mark.covers("chpst", "-C")
def test_the_working_directory_changes_after_the_root(called: Called, cwd: Path, jail: Path) -> None:
    oracle.root("changes the root")
    ours = become([called("chpst")[1], "-/", jail, "-C", "inner", *CHILD], cwd=cwd, env=ENV)
    assert (ours["root"], ours["directory"]) == (jail, jail / "inner")
    said = become([called("chpst")[1], "-C", "nope", *CHILD], cwd=cwd, env=ENV)
    assert said == {"code": 111, "out": b"", "err": b"chpst: fatal: unable to change directory: nope: file does not exist\n"}
