"""A hierarchy laid out in a few words, and what is wrong with asking it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runit_provision.errors import DataError
from runit_provision.hiera import open_hierarchy
from runit_provision.hiera.hierarchy import Hierarchy

CONFIG = "version: 5\nhierarchy:\n  - name: node\n    path: nodes/%{trusted.certname}.yaml\n  - name: common\n    path: common.yaml\n"


def opened(folder: Path, *, node: str = "n1", strict: bool = True, **files: str) -> Hierarchy:
    """Lay hiera.yaml and data files (`nodes__n1` is nodes/n1.yaml) below `folder`; open the hierarchy."""
    (folder / "hiera.yaml").write_text(files.pop("config", CONFIG))
    for name, text in files.items():
        path = folder / "data" / (name.replace("__", "/") + ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return open_hierarchy(folder / "hiera.yaml", facts={"role": "web"}, node=node, strict=strict)


def problems(action: Callable[[], Any]) -> list[str]:
    with pytest.raises(DataError) as caught:
        action()
    return [str(problem) for problem in caught.value.problems]
