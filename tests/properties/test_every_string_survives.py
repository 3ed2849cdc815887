"""Any argument and any variable goes through the data, the script and the shell to a real process, byte for byte."""

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


def answer(arguments: list[str], env: dict[str, str], tools: str) -> tuple[list[bytes], dict[bytes, bytes]]:
    """Render a service, run its script, and give what the process was called with."""
    with tempfile.TemporaryDirectory() as folder:
        mirror = Path(folder) / "mirror"
        mirror.write_text(MIRROR)
        mirror.chmod(0o755)
        tree = tree_of(
            {
                **{key: f"{folder}/{key}" for key in ("service_directory", "definitions", "log_directory")},
                "services": {"mirror": {"command": [str(mirror), *arguments], "env": env, "log": False}},
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


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(words, min_size=1, max_size=8))
@example(["\n"])
@example(["", " ", "'", '"', "\\", "\\\n", "`id`", "$(id)", "${HOME}", "%", "!", "~", "-x", "*", "a\nb", "\t", "#", "\r"])
@example(["\u2019\u201c", "$'", "\"'$`\\", "=", "\x01\x80\x81\x88\x7f", "\u00a0", "it's $5", "x\\", "'\\''"])
def test_every_argument_arrives_byte_for_byte(tools: str, arguments: list[str]) -> None:
    called, _ = answer(arguments, {}, tools)
    assert called == [word.encode() for word in arguments]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(names, words, max_size=5), st.dictionaries(odd_names, words.map(lambda value: value.rstrip(" \t")), max_size=3))
@example(
    {"EMPTY": "", "BLANKS": "  ", "TAB": "x\t", "LINES": "one\ntwo\n", "ONLY_A_LINE": "\n", "BOTH": "a\n ", "QUOTES": "'\"$` "}, {}
)
def test_every_variable_arrives_byte_for_byte(tools: str, env: dict[str, str], odd: dict[str, str]) -> None:
    both = {**odd, **env}
    _, environ = answer(["x"], both, tools)
    assert {name: environ.get(name.encode()) for name in both} == {name: value.encode() for name, value in both.items()}
