"""The module itself: its manifests, and that it knows every key that the data has."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
from support import oracle

from runit_provision.schema import json_schema

from .conftest import MODULE

ELSEWHERE = {
    "before": "before_lines",  # what a metaparameter is called
    "title": "process_title",  # what every resource has
}


def keys(definition: str) -> dict[str, Any]:
    schema: dict[str, Any] = json_schema()["$defs"][definition]["properties"]
    return schema


def parameters(manifest: str) -> dict[str, str]:
    """Give the documented parameters of a manifest, with what is said of them."""
    text = (MODULE / "manifests" / manifest).read_text()
    found = re.findall(r"^# @param (\w+)\n((?:#   .*\n)+)", text, re.MULTILINE)
    return {name: " ".join(said.replace("#  ", "").split()) for name, said in found}


@pytest.mark.parametrize(
    ("manifest", "definition", "without"),
    [
        ("init.pp", "HostSpec", set()),
        ("user.pp", "UserSpec", set()),
        ("service.pp", "ServiceSpec", set()),
        ("user/service.pp", "ServiceSpec", {"user"}),
    ],
)
def test_every_key_of_the_data_is_a_parameter(manifest: str, definition: str, without: set[str]) -> None:
    known = parameters(manifest)
    expected = {ELSEWHERE.get(key, key) if manifest != "init.pp" else key for key in keys(definition).keys() - without}
    assert expected <= known.keys()
    text = (MODULE / "manifests" / manifest).read_text()
    for name in expected:
        assert re.search(rf"^  \S.* \${name}\b", text, re.MULTILINE), name
        assert re.search(rf"^ +'\w+' +=> \${name},$", text, re.MULTILINE), name


@pytest.mark.parametrize(
    ("alias", "definition"),
    [
        ("data.pp", "HostSpec"), ("data/user.pp", "UserSpec"), ("data/service.pp", "ServiceSpec"), ("check.pp", "CheckSpec"),
        ("delegate.pp", "DelegateSpec"), ("file.pp", "FileSpec"), ("finish.pp", "FinishSpec"), ("limits.pp", "LimitsSpec"),
        ("lock.pp", "LockSpec"), ("log.pp", "LogSpec"), ("mail.pp", "MailSpec"), ("probe.pp", "ProbeSpec"),
        ("remote.pp", "RemoteSpec"), ("restart.pp", "RestartSpec"),
    ],
)  # fmt: skip
def test_every_key_of_the_data_is_in_its_type_alias(alias: str, definition: str) -> None:
    text = (MODULE / "types" / alias).read_text()
    assert set(re.findall(r"'(\w+)'\]? => ", text)) == set(keys(definition))


def test_puppet_reads_every_manifest() -> None:
    puppet = oracle.program("puppet", package="puppet-agent")
    folders = [str(MODULE / folder) for folder in ("manifests", "functions", "types")]
    done = subprocess.run([puppet, "parser", "validate", *folders], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_puppet_lint_has_nothing_to_say() -> None:
    lint = oracle.program("puppet-lint", package="puppet-lint")
    folders = [str(MODULE / folder) for folder in ("manifests", "functions", "types")]
    # The original module's file server is a mount of its own, not a module's files.
    arguments = ["--fail-on-warnings", "--relative", "--no-140chars-check", "--no-puppet_url_without_modules-check"]
    done = subprocess.run([lint, *arguments, *folders], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
