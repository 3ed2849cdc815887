"""The module itself: its manifests, and that it knows every key that the data has."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
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
        ("remote.pp", "RemoteSpec"), ("restart.pp", "RestartSpec"), ("stop.pp", "StopSpec"),
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


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The module where tools may write."""
    return Path(shutil.copytree(MODULE, tmp_path / "runit", ignore=shutil.ignore_patterns(".yardoc", "fixtures")))


def test_the_modules_own_specs_pass(copy: Path) -> None:
    rspec = oracle.program("rspec", package="ruby-rspec-puppet")
    done = subprocess.run([rspec, "--no-color"], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    assert " 0 failures" in done.stdout


def test_every_type_alias_has_a_spec() -> None:
    aliases = {path.relative_to(MODULE / "types").with_suffix("").as_posix().replace("/", "_") for path in MODULE.glob("types/**/*.pp")}
    assert aliases == {path.name.removesuffix("_spec.rb") for path in MODULE.glob("spec/type_aliases/*_spec.rb")}


def test_the_reference_is_the_one_that_puppet_strings_writes(copy: Path) -> None:
    """`puppet strings generate --format markdown --out REFERENCE.md` brings it up to date."""
    oracle.program("puppet", package="puppet-agent")
    if subprocess.run(["puppet", "strings", "--version"], capture_output=True, check=False).returncode != 0:
        oracle.absent("puppet strings is not installed (package puppet-strings)")
    out = copy / "REFERENCE.md"
    command = ["puppet", "strings", "generate", "--format", "markdown", "--out", str(out)]
    subprocess.run(command, cwd=copy, capture_output=True, check=True)
    assert out.read_text() == (MODULE / "REFERENCE.md").read_text()


def test_shellcheck_has_nothing_to_say_of_the_tasks() -> None:
    shellcheck = oracle.program("shellcheck", package="shellcheck")
    done = subprocess.run([shellcheck, *map(str, MODULE.glob("tasks/*.sh"))], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
