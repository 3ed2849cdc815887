"""The module itself: its manifests, and that it knows every key that the data has."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support import oracle
from support.agreement import agree, agree_all
from support.puppet_module import generated

from .conftest import DEBIAN_13, MODULE


def test_types_and_parameters_are_those_of_the_schema() -> None:
    """`GOLDEN=write` writes them."""
    texts = generated(MODULE)
    agree_all({MODULE / path: text for path, text in texts.items()})
    aliases = {path.relative_to(MODULE) for path in MODULE.glob("types/**/*.pp")}
    assert aliases == {path for path in texts if path.parts[0] == "types"}


def test_puppet_reads_every_manifest() -> None:
    puppet = oracle.program("puppet", package="puppet-agent")
    folders = [str(MODULE / folder) for folder in ("manifests", "functions", "types")]
    done = subprocess.run([puppet, "parser", "validate", *folders], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_puppet_lint_has_nothing_to_say() -> None:
    lint = oracle.program("puppet-lint", package="puppet-lint")
    # The module's own .puppet-lint.rc allows the file server of the original module, a mount of its own and not a module's files.
    words = [lint, "manifests", "functions", "types"]
    done = subprocess.run(words, cwd=MODULE, capture_output=True, text=True, check=False)
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


if os.environ.get("HARNESS") == "all":

    def test_the_modules_own_specs_pass_under_puppet_8(copy: Path) -> None:
        if not (DEBIAN_13 / "usr/bin/rspec").exists():
            oracle.absent(f"{DEBIAN_13} has no rspec-puppet (.ci/run --all makes it)")
        there = 'mount --bind "$1" "$2/mnt"; exec chroot "$2" sh -c "cd /mnt && HOME=/mnt exec rspec --no-color"'
        command = ["unshare", "--mount", "sh", "-ec", there, "sh", str(copy), str(DEBIAN_13)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr
        assert " 0 failures" in done.stdout


def test_every_type_alias_has_a_spec() -> None:
    aliases = {path.relative_to(MODULE / "types").with_suffix("").as_posix().replace("/", "_") for path in MODULE.glob("types/**/*.pp")}
    assert aliases == {path.name.removesuffix("_spec.rb") for path in MODULE.glob("spec/type_aliases/*_spec.rb")}


def test_the_reference_is_the_one_that_puppet_strings_writes(copy: Path) -> None:
    """`GOLDEN=write` writes it."""
    oracle.program("puppet", package="puppet-agent")
    if subprocess.run(["puppet", "strings", "--version"], capture_output=True, check=False).returncode != 0:
        oracle.absent("puppet strings is not installed (package puppet-strings)")
    out = copy / "REFERENCE.md"
    command = ["puppet", "strings", "generate", "--format", "markdown", "--out", str(out)]
    subprocess.run(command, cwd=copy, capture_output=True, check=True)
    agree(MODULE / "REFERENCE.md", out.read_text())


def test_puppet_reads_every_plan() -> None:
    puppet = oracle.program("puppet", package="puppet-agent")
    done = subprocess.run([puppet, "parser", "validate", "--tasks", str(MODULE / "plans")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_the_metadata_are_as_the_forge_wants_them() -> None:
    """The rules of the Forge's documentation and of metadata-json-lint in its strict mode, which is packaged nowhere here."""
    found = json.loads((MODULE / "metadata.json").read_text())
    strings = ("name", "version", "author", "license", "summary", "source", "project_page", "issues_url")
    assert [key for key in strings if not isinstance(found.get(key), str) or not found[key]] == []
    assert re.fullmatch(r"[a-z0-9_]+-[a-z][a-z0-9_]*", found["name"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["version"])
    assert len(found["summary"]) <= 144
    assert found["license"] == "MIT"  # of SPDX's list
    assert all(found[key].startswith("https://") for key in ("source", "project_page", "issues_url"))
    (puppet,) = found["requirements"]
    assert (puppet["name"], bool(re.fullmatch(r">= \d+\.\d+\.\d+ < \d+\.\d+\.\d+", puppet["version_requirement"]))) == ("puppet", True)
    assert len({each["operatingsystem"] for each in found["operatingsystem_support"]}) == len(found["operatingsystem_support"])
    assert all(set(each) <= {"operatingsystem", "operatingsystemrelease"} for each in found["operatingsystem_support"])
    assert all(isinstance(tag, str) and " " not in tag for tag in found["tags"])
    assert found["dependencies"] == []
    assert {"types", "dependencies", "description", "checksums"} & found.keys() <= {"dependencies"}  # the deprecated ones


def test_shellcheck_has_nothing_to_say_of_the_scripts() -> None:
    shellcheck = oracle.program("shellcheck", package="shellcheck")
    done = subprocess.run([shellcheck, *map(str, MODULE.glob("*/*.sh"))], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
