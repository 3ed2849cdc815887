"""The examples for CI servers: every step's script is run, on a host of its own, in a repository that has what they say it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from junitparser import JUnitXml
from support.sandbox import Sandbox
from support.wheels import CHECKOUT, wheelhouse

EXAMPLES = CHECKOUT / "hiera-examples/ci"
HIERA = "version: 5\ndefaults: {datadir: data, data_hash: yaml_data}\nhierarchy: [{name: all, path: common.yaml}]\n"
DATA = """\
runit:
  users:
    apprun1:
      manage: true
      services:
        worker: {command: [sleep, '1000']}
"""
TEST = """\
def test_the_worker_is_up(runit_service):
    assert runit_service("apprun1/worker").comes_up(within=60)
"""


def github() -> list[str]:
    """Give the scripts of the steps; GitHub runs each with `sh -e` of its own in a container."""
    example = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text())
    (job,) = example["jobs"].values()
    assert {"uses", "run"} >= {key for step in job["steps"] for key in step} - {"name", "if", "with"}
    return [f"set -e\n{step['run']}" for step in job["steps"] if "run" in step]


def gitlab() -> list[str]:
    """Give the script of the job; GitLab runs before_script and script in one shell, which ends at the first failure."""
    example = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())
    (job,) = example.values()
    assert job["artifacts"]["reports"]["junit"] == ["services.xml", "tests.xml"]
    return ["\n".join(["set -e", *job["before_script"], *job["script"]])]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return wheelhouse(tmp_path_factory.mktemp("wheels"))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Sandbox]:
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    (tmp_path / "host").mkdir()
    with Sandbox(tmp_path / "host") as host:
        for name in ("bin", "lib"):  # of this machine's, which a step installs into
            host.run("mount", "-t", "tmpfs", "fresh", f"/usr/local/{name}")
        yield host


@pytest.mark.shows("roads", "CI", "first run")
@pytest.mark.parametrize("scripts", [github, gitlab])
def test_every_step_of_the_example_runs(
    host: Sandbox, tmp_path: Path, wheels: dict[str, str], scripts: Callable[[], list[str]]
) -> None:
    repository = tmp_path / "repository"
    (repository / "data").mkdir(parents=True)
    for folder in ("facts", "tests"):
        (repository / folder).mkdir()
    (repository / "hiera.yaml").write_text(HIERA)
    (repository / "data/common.yaml").write_text(DATA)
    (repository / "facts/app1.yaml").write_text("{}\n")
    (repository / "tests/test_worker.py").write_text(TEST)
    environment = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", **wheels}
    codes = []
    for script in scripts():
        done = host.run("sh", "-c", f"cd {repository}\n{script}", env=environment, check=False)
        print(done.stdout, done.stderr)
        codes.append(done.returncode)
        if done.returncode != 0:
            break
    assert codes[-1] == 0
    _, services = JUnitXml.fromfile(str(repository / "services.xml"))
    assert not [case.classname for case in services if case.result]
    (tests,) = JUnitXml.fromfile(str(repository / "tests.xml"))
    assert (tests.tests, tests.failures, tests.errors) == (1, 0, 0)
