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


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The module where tools may write."""
    return Path(shutil.copytree(MODULE, tmp_path / "runit", ignore=shutil.ignore_patterns(".yardoc", "fixtures")))


def rake(copy: Path, *tasks: str) -> subprocess.CompletedProcess[str]:
    """Run tasks of the module's own Rakefile."""
    for program, package in (
        ("rake", "rake"),
        ("puppet", "puppet-agent"),
        ("puppet-lint", "puppet-lint"),
        ("rspec", "ruby-rspec-puppet"),
    ):
        oracle.program(program, package=package)
    oracle.program("metadata-json-lint", package="metadata-json-lint")
    return subprocess.run(["rake", *tasks], cwd=copy, capture_output=True, text=True, check=False)


def test_rake_validates_and_lints(copy: Path) -> None:
    done = rake(copy, "validate", "lint", "metadata_lint")
    said = done.stdout + done.stderr
    assert (done.returncode, [line for line in said.splitlines() if not line.startswith("puppet parser validate")]) == (0, [])
    (copy / "manifests/bad.pp").write_text('class runit::bad {\n  notify { "bad": }\n}\n')
    (copy / "metadata.json").write_text((copy / "metadata.json").read_text().replace('"MIT"', '"None of those"'))
    lint, metadata = rake(copy, "lint"), rake(copy, "metadata_lint")
    assert (lint.returncode, "double quoted string containing no variables" in lint.stdout) == (1, True)
    assert (metadata.returncode, "None of those is not in the SPDX list" in metadata.stdout) == (1, True)


def test_the_modules_own_specs_pass(copy: Path) -> None:
    done = rake(copy, "spec")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    assert " 0 failures" in done.stdout


# What bundler would ask of the gems, which it would fetch; here Debian's packages have brought them.
HAS_EVERY_GEM = """
def source(address); end
def gem(name, *wanted) = Gem::Dependency.new(name, *wanted).matching_specs.empty? && abort("#{name} #{wanted}")
load 'Gemfile'
"""


def test_the_gemfile_names_versions_that_do(copy: Path) -> None:
    ruby = oracle.program("ruby", package="puppet-agent")
    done = subprocess.run([ruby, "-e", HAS_EVERY_GEM], cwd=copy, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


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
    if subprocess.run(["puppet", "strings", "--version"], capture_output=True, check=False).returncode != 0:
        oracle.absent("puppet strings is not installed (package puppet-strings)")
    done = rake(copy, "reference")
    assert done.returncode == 0, done.stdout + done.stderr
    agree(MODULE / "REFERENCE.md", (copy / "REFERENCE.md").read_text())


def test_the_metadata_are_as_the_forge_wants_them() -> None:
    """What metadata-json-lint does not ask, of the Forge's documentation; the project has no address yet that it could name."""
    found = json.loads((MODULE / "metadata.json").read_text())
    assert re.fullmatch(r"[a-z0-9_]+-[a-z][a-z0-9_]*", found["name"])
    assert len(found["summary"]) <= 144
    assert (found["source"], found.keys() & {"project_page", "issues_url"}) == ("", set())
    (puppet,) = found["requirements"]
    assert (puppet["name"], bool(re.fullmatch(r">= \d+\.\d+\.\d+ < \d+\.\d+\.\d+", puppet["version_requirement"]))) == ("puppet", True)
    assert len({each["operatingsystem"] for each in found["operatingsystem_support"]}) == len(found["operatingsystem_support"])
    assert all(set(each) <= {"operatingsystem", "operatingsystemrelease"} for each in found["operatingsystem_support"])
    assert all(isinstance(tag, str) and " " not in tag for tag in found["tags"])


def test_shellcheck_has_nothing_to_say_of_the_scripts() -> None:
    shellcheck = oracle.program("shellcheck", package="shellcheck")
    done = subprocess.run([shellcheck, *map(str, MODULE.glob("*/*.sh"))], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
