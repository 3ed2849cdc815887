"""Any argument and any variable goes through the data, the script and the shell to a real process, byte for byte.

HARNESS=all draws ten times as many.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support import oracle
from support.laid import lay
from support.world import tree_of

from runit_provision.render import expand
from runit_provision.render.quoting import quote

TIMES = 10 if os.environ.get("HARNESS") == "all" else 1

MIRROR = """#!/usr/bin/python3 -IS
import sys
with open("/proc/self/cmdline", "rb") as words, open("/proc/self/environ", "rb") as variables:
    called = words.read()
    sys.stdout.buffer.write(b"%d:" % len(called) + called + variables.read())
"""
"""Answers with its own arguments and environment as the kernel holds them."""

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True).map(lambda name: f"X{name}")
odd_names = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="=/"), min_size=1, max_size=20).map(
    lambda name: f"X{name}x"
)


@pytest.fixture(params=["C runit", "the shipped runtime"])
def tools(request: pytest.FixtureRequest) -> str:
    """The folder of the chpst that runs in the scripts."""
    if request.param == "C runit":
        return str(Path(oracle.program("chpst", package="runit")).parent)
    return str(request.getfixturevalue("runtime"))


def answer(arguments: list[str], env: dict[str, str], tools: str, *, before: str = "") -> tuple[list[bytes], dict[bytes, bytes]]:
    """Render a service, run its script, and give what the process was called with."""
    with tempfile.TemporaryDirectory() as folder:
        mirror = Path(folder) / "mirror"
        mirror.write_text(MIRROR)
        mirror.chmod(0o755)
        tree = tree_of(
            {
                **{key: f"{folder}/{key}" for key in ("service_directory", "definitions", "log_directory")},
                "services": {"mirror": {"command": [str(mirror), *arguments], "env": env, "before": before, "log": False}},
            }
        )
        lay(tree)
        done = subprocess.run(
            [f"{folder}/definitions/mirror/run"],
            cwd=f"{folder}/definitions/mirror",
            env={"PATH": f"{tools}:{os.environ['PATH']}"},
            capture_output=True,
            check=True,
        )
    length, _, rest = done.stdout.partition(b":")
    called, environ = rest[: int(length)], rest[int(length) :]
    pairs = (item.partition(b"=") for item in environ.rstrip(b"\0").split(b"\0"))
    return called.removesuffix(b"\0").split(b"\0")[3:], {name: value for name, _, value in pairs}


@settings(max_examples=60 * TIMES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(words, min_size=1, max_size=8))
@example(["\n"])
@example(["", " ", "'", '"', "\\", "\\\n", "`id`", "$(id)", "${HOME}", "%", "!", "~", "-x", "*", "a\nb", "\t", "#", "\r"])
@example(["\u2019\u201c", "$'", "\"'$`\\", "=", "\x01\x80\x81\x88\x7f", "\u00a0", "it's $5", "x\\", "'\\''"])
def test_every_argument_arrives_byte_for_byte(tools: str, arguments: list[str]) -> None:
    called, _ = answer(arguments, {}, tools)
    assert called == [word.encode() for word in arguments]


@settings(max_examples=60 * TIMES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(names, words, max_size=5),
    st.dictionaries(odd_names, words.map(lambda value: value.rstrip(" \t")), max_size=3),
    st.sampled_from(["", ": lines that see it as well"]),
)
@example(
    {"EMPTY": "", "BLANKS": "  ", "TAB": "x\t", "LINES": "one\ntwo\n", "ONLY_A_LINE": "\n", "BOTH": "a\n ", "QUOTES": "'\"$` "}, {}, ":"
)
@example({"UID": "5", "IFS": ":", "PPID": "x", "PS4": "$(id)", "OPTIND": "x", "LINENO": "x", "RANDOM": "x", "BASH_ENV": "/x"}, {}, ":")
def test_every_variable_arrives_byte_for_byte(tools: str, env: dict[str, str], odd: dict[str, str], before: str) -> None:
    both = {**odd, **env}
    _, environ = answer(["x"], both, tools, before=before)
    assert {name: environ.get(name.encode()) for name in both} == {name: value.encode() for name, value in both.items()}


lines = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).filter(str.strip)
paths = lines.map(lambda text: text.replace("/", "_")).filter(lambda text: text not in (".", "..") and len(text.encode()) < 200)

addresses = lines.filter(lambda text: not text.startswith("-"))
"""One that begins with a dash is refused: mail would take it for an option."""

SAYS = """import os, sys
with open("/proc/self/cmdline", "rb") as words:
    sys.stdout.buffer.write(bytes([0]).join((os.getcwdb(), os.environb[b"FROM_THERE"], words.read())))
"""
CALLED = """#!/usr/bin/python3 -IS
import os, sys
with open("/proc/self/cmdline", "rb") as words:
    sys.stdout.buffer.write(b"%s\\0" % os.getcwdb() + words.read())
"""


@settings(max_examples=40 * TIMES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(directory=paths, lock=paths, folder=paths, argv0=lines, address=addresses, asked=st.lists(words, max_size=4), template=words)
@example("it's $HOME", "`lock`", "-e", "-sh", "$(id)@x -s", ["'", "$", ""], '"\\\n')
@example("~", "#", "a\\", "a'b", "a b", ["*", "\n"], "\n\n")
def test_every_other_text_of_the_data_arrives_too(
    tools: str, directory: str, lock: str, folder: str, argv0: str, address: str, asked: list[str], template: str
) -> None:
    """Working and env directory, lock, the program's name, whom finish mails, what check asks, a value of a template."""
    with tempfile.TemporaryDirectory() as base:
        for name in ("work", "locks", "envs", "bin"):
            (Path(base) / name).mkdir()
        work, env = Path(base, "work", directory), Path(base, "envs", folder)
        work.mkdir()
        env.mkdir()
        (env / "FROM_THERE").write_text("yes\n")
        for name in ("called", "mail"):
            program = Path(base, "bin", name)
            program.write_text(CALLED)
            program.chmod(0o755)
        service = {
            "command": ["/usr/bin/python3", "-IS", "-c", SAYS],
            "directory": str(work),
            "lock": f"{base}/locks/{lock}",
            "env_directories": [str(env)],
            "argv0": argv0,
            "check": {"command": [f"{base}/bin/called", *asked]},
            "finish": {"mail": {"on_failure": address}},
            "log": False,
        }
        places = {key: f"{base}/{key}" for key in ("service_directory", "definitions", "log_directory")}
        lay(tree_of({**places, "services": {"it": service}}))
        place = Path(base, "definitions", "it")
        (place / "supervise").mkdir()
        (place / "supervise" / "stat").write_text("run\n")

        def said(script: str, *arguments: str) -> bytes:
            path = f"{base}/bin:{tools}:{os.environ['PATH']}"
            return subprocess.run([f"./{script}", *arguments], cwd=place, env={"PATH": path}, capture_output=True, check=True).stdout

        where, there, called, *_ = said("run").split(b"\0")
        assert (where, there, called) == (os.fsencode(work), b"yes", argv0.encode())
        assert Path(base, "locks", lock).exists()
        assert said("check").removesuffix(b"\0").split(b"\0")[4:] == [word.encode() for word in asked]
        assert said("finish", "1", "0").removesuffix(b"\0").split(b"\0")[-1] == address.encode()
    assert expand({"t": "printf %s {{ value|sh }}"}, "t", {"value": template}) == f"printf %s {quote(template)}"
    shown = subprocess.run(["/bin/sh", "-c", f"printf '%s|' {quote(template)}"], capture_output=True, check=True).stdout
    assert shown == template.encode() + b"|"
