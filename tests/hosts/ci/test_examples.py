"""The examples for CI servers: every step's script is run, on a host of its own, with the examples' data as its repository."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from junitparser import JUnitXml
from support.sandbox import Sandbox
from support.wheels import CHECKOUT, laid

EXAMPLES = CHECKOUT / "hiera-examples"


def github() -> list[str]:
    """Give the scripts of the steps; GitHub runs each with `sh -e` of its own in a container."""
    example = yaml.safe_load((EXAMPLES / "ci/github-actions.yml").read_text())
    (job,) = example["jobs"].values()
    assert {"uses", "run"} >= {key for step in job["steps"] for key in step} - {"name", "if", "with"}
    return [f"set -e\n{step['run']}" for step in job["steps"] if "run" in step]


def gitlab() -> list[str]:
    """Give the script of the job; GitLab runs before_script and script in one shell, which ends at the first failure."""
    example = yaml.safe_load((EXAMPLES / "ci/gitlab-ci.yml").read_text())
    (job,) = example.values()
    assert job["artifacts"]["reports"]["junit"] == ["services.xml", "tests.xml"]
    return ["\n".join(["set -e", *job["before_script"], *job["script"]])]


@contextmanager
def fresh_host(folder: Path) -> Iterator[Sandbox]:
    """A host whose only Python lies where the examples' image has it."""
    folder.mkdir()
    with Sandbox(folder) as host:
        for name in ("bin", "lib"):  # of this machine's, which a step installs into
            host.run("mount", "-t", "tmpfs", "fresh", f"/usr/local/{name}")
        host.run("cp", "--dereference", "/usr/bin/python3", "/usr/local/bin/python3")
        host.without_python()
        yield host


@pytest.mark.one_of("road that brings the tool")
@pytest.mark.long
@pytest.mark.timeout(900)  # pip takes its time
@pytest.mark.shows("roads", "CI", "first run", "the tool installed")
def test_every_step_of_each_example_runs_with_the_data_that_lie_beside_it(tmp_path: Path, wheels: Path) -> None:
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    repository = tmp_path / "repository"
    shutil.copytree(EXAMPLES, repository)
    index = laid(wheels, tmp_path / "index")
    (repository / "wheels").mkdir()
    for wheel in (tmp_path / "index").glob("runit_provision-*.whl"):
        wheel.rename(repository / "wheels" / wheel.name)
    environment = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", **index}
    # The second finds .venv as a CI server's cache would leave it.
    for name, scripts in (("github", github()), ("gitlab", gitlab())):
        with fresh_host(tmp_path / name) as host:
            for script in scripts:
                done = host.run("sh", "-c", f"cd {repository}\n{script}", env=environment, check=False)
                assert done.returncode == 0, done.stdout + done.stderr
        _, services = JUnitXml.fromfile(str(repository / "services.xml"))
        assert {case.classname for case in services} == {"runsvdir-apprun1", "runsvdir-apprun2"}
        assert not [case.classname for case in services if case.result]
        (tests,) = JUnitXml.fromfile(str(repository / "tests.xml"))
        assert (tests.tests, tests.failures, tests.errors) == (3, 0, 0)
        for report in ("services.xml", "tests.xml"):
            (repository / report).unlink()
