"""-V names the program that this is, and its version; the rest is what C's tools say."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest
from support import oracle
from support.programs import run

PRODUCT = f"runit-provision {metadata.version('runit-provision')}"


@pytest.mark.covers("{tool}", "-V")
@pytest.mark.parametrize(
    ("tool", "words", "code"), [("sv", [], 100), ("chpst", ["true"], 100), ("svlogd", ["x"], 111), ("utmpset", [], 1)]
)
def test_version_goes_to_standard_error_and_the_usage_follows(runtime: Path, tool: str, words: list[str], code: int) -> None:
    theirs = run(oracle.program(tool, package="runit"), ["-V", *words])
    ours = run(runtime / tool, ["-V", *words])
    assert (theirs.code, theirs.out) == (ours.code, ours.out) == (code, b"")
    named, usage = ours.err.decode().split("\n", 1)
    assert named.removeprefix("svlogd: ") == PRODUCT
    # Some of C's tools say what they were called by, ours their name.
    called = oracle.program(tool, package="runit"), str(runtime / tool)
    assert usage.replace(called[1], tool).replace("[-C pwd] ", "") == theirs.err.decode().split("\n", 1)[1].replace(called[0], tool)


@pytest.mark.covers("runit-init", "-V")
def test_runit_init_tells_its_version_too(runtime: Path) -> None:
    assert run(runtime / "runit-init", ["-V"]).err.decode() == f"{PRODUCT}\nusage: runit-init 0|6\n\n"
