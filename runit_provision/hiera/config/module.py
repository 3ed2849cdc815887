"""Whether Puppet takes a folder of the modulepath for a module: its metadata.json may keep it from that, and its data with it.

Source: Puppet's documentation, "Module metadata", and `puppet lookup`, which leaves such a module out in silence.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.hiera.formats.files import read_text
from runit_provision.hiera.formats.json_document import parse_json
from runit_provision.hiera.values.kinds import kind
from runit_provision.inputs import Inputs
from runit_provision.model.data import locate

_NEEDED = ("source", "author", "version", "license", "dependencies")
_HINT = "its data are never found until that is mended"


def left_out(folder: Path, inputs: Inputs, *, strict: bool) -> Problem | None:
    """Give why the module in `folder` is left out, None when it is not.

    Without a metadata.json, or with an empty one or an empty hash in it, it is one; so it is with what is no JSON, unless in the strict
    mode. (To Puppet 7 an empty file is no JSON either.)
    Raises DataError for what cannot be read, and for what Puppet itself breaks at.
    """
    path = folder / "metadata.json"
    if not inputs.exists(str(path)):
        return None
    text = read_text(path, inputs)
    if not text:
        return None
    try:
        data = parse_json(text, str(path))
    except DataError as error:
        (problem,) = error.problems
        return Problem(f"`{folder.name}` is left out of the modules: {problem.message}", problem.mark, hint=_HINT) if strict else None
    _check(data, Mark(str(path), 1, 1))
    missing = [name for name in _NEEDED if data.get(name) is None]
    if data and missing:
        named = ", ".join(f"`{name}`" for name in missing)
        return Problem(f"`{folder.name}` is left out of the modules: no {named}", Mark(str(path), 1, 1), hint=_HINT)
    if data and not isinstance(data["dependencies"], list):
        return Problem(
            f"`{folder.name}` is left out of the modules: `dependencies` are no list", locate(data, ["dependencies"]), hint=_HINT
        )
    return None


def _check(data: Any, whole: Mark) -> None:
    if not isinstance(data, dict):
        raise DataError(Problem(f"metadata of a module are a hash, not {kind(data)}", whole))
    if not isinstance(data.get("name"), str | None):
        raise DataError(Problem(f"a module's name is text, not {kind(data['name'])}", locate(data, ["name"]), key="name"))
    dependencies = data.get("dependencies")
    for index, each in enumerate(dependencies if isinstance(dependencies, list) else ()):
        if not isinstance(each, dict):
            raise DataError(
                Problem(f"a dependency is a hash, not {kind(each)}", locate(data, ["dependencies", index]), key="dependencies")
            )
