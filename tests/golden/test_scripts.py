"""Every script of every golden tree is one that the shell reads and that shellcheck has nothing to say against."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support import oracle
from support.world import example, examples, tree_of_source

from runit_provision.app.source import Source
from runit_provision.model.tree import File, RenderedTree

CASES = sorted(path.parent for path in Path(__file__).parent.glob("cases/*/data.yaml"))


def trees() -> list[tuple[str, RenderedTree]]:
    """Give each tree with the name of its case."""
    nodes = [file.stem for file in (examples() / "facts").iterdir()]
    cases = [(case.name, tree_of_source(Source(data=case / "data.yaml"))) for case in CASES]
    return [*cases, *((node, tree_of_source(example(node))) for node in nodes)]


def scripts(folder: Path) -> list[Path]:
    """Write each distinct script of all trees into `folder`; the examples' stages are scripts as well."""
    texts: dict[bytes, str] = {}
    for case, tree in trees():
        for node in tree:
            if isinstance(node.entry, File) and (node.entry.content.startswith(b"#!/bin/sh") or node.path.endswith(".sh")):
                texts.setdefault(node.entry.content, f"{case}{node.path}".replace("/", "_"))
    for text, name in texts.items():
        (folder / name).write_bytes(text)
    return [*(folder / name for name in texts.values()), *(examples() / "stages").iterdir()]


@pytest.mark.parametrize("shell", ["sh", "dash", "bash --posix", "busybox sh"])
def test_every_shell_reads_every_script(tmp_path: Path, shell: str) -> None:
    program, *words = shell.split()
    found = oracle.program(program, package=program)
    for script in scripts(tmp_path):
        done = subprocess.run([found, *words, "-n", script], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), script


def test_shellcheck_has_nothing_to_say(tmp_path: Path) -> None:
    shellcheck = oracle.program("shellcheck", package="shellcheck")
    done = subprocess.run([shellcheck, *scripts(tmp_path)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(done.stdout, pytrace=False)
