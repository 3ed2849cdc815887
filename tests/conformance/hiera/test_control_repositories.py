"""Control repositories in the shapes that sites have: every key of every node has the value that Puppet gives it.

`locations`: the levels of Puppet's manual, with secrets. `teams`: encrypted by default, a folder of data for each team, an inventory.
`legacy`: names of old, a global, an environment and a module layer with defaults, in the lenient mode of old.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from conformance.hiera.drawn.encrypted import CLEAR
from conformance.hiera.puppet import Puppet, ask_ours, same
from support import oracle
from support.encrypted import Lock

from runit_provision.hiera import read_yaml

_REPOSITORIES = Path(__file__).with_name("repositories")
_NODES = [(folder.name, node) for folder in sorted(_REPOSITORIES.iterdir()) for node in (*read_yaml(folder / "nodes.yaml"),)]


@pytest.fixture(scope="session")
def lock(tmp_path_factory: pytest.TempPathFactory) -> Lock:
    oracle.program("eyaml", package="hiera-eyaml")
    return Lock(tmp_path_factory.mktemp("keys"), CLEAR)


def _laid(name: str, node: str, lock: Lock, folder: Path, *, strict: bool) -> dict[str, Any]:
    """Lay the repository below `folder`; give the question for each key that any of its files has, and for parts of hashes."""
    shutil.copytree(_REPOSITORIES / name, folder, dirs_exist_ok=True)
    keys = {"nosuch": None}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        path.write_text(lock.close(path.read_text()))
        if path.name not in {"hiera.yaml", "nodes.yaml"}:
            for key, value in read_yaml(path).items():
                keys[key] = None
                if isinstance(value, dict) and key != "lookup_options":
                    keys |= {f"{key}.{part}": None for part in value}
    environment = folder / "environment"
    return {
        "config": str(folder / "hiera.yaml"),
        "facts": dict(read_yaml(folder / "nodes.yaml")[node]),
        "node": node,
        "strict": strict,
        "environment": str(environment) if environment.exists() else None,
        "modulepath": [str(folder / "modules")],
        "queries": [{"key": key, **merge} for key in keys for merge in ({}, {"merge": "deep"})],
    }


@pytest.mark.parametrize(("name", "node"), _NODES)
def test_every_key_of_every_node_has_puppets_value(name: str, node: str, lock: Lock, puppet: Puppet, tmp_path: Path) -> None:
    question = _laid(name, node, lock, tmp_path, strict=name != "legacy")
    theirs, ours = puppet.ask(question), ask_ours(question, secrets=name == "legacy")
    answers = list(zip(question["queries"], theirs, ours, strict=True))
    assert [answer for answer in answers if not same(*answer[1:])] == []
    assert sum(answer[0] == "found" for answer in ours) > len(answers) / 4
