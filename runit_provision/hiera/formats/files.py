"""Reading data files: what is no readable text of the right form is a DataError that says where and what to do."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.hiera.formats.json_document import parse_json
from runit_provision.hiera.formats.yaml_document import parse_yaml, place_of
from runit_provision.inputs import Inputs
from runit_provision.model.data import Table

Parser = Callable[[str, str], Any]
"""Gives the value of a text; the second argument names the file in marks."""

_HINTS = {
    errno.ENOENT: "check the name; a relative one starts from the current directory",
    errno.EACCES: "run as a user who may read it, or change its mode",
    errno.EISDIR: "a data file is wanted here, not a directory",
}


def read_text(path: Path, inputs: Inputs, asked_at: Mark | None = None) -> str:
    """Give the text of `path`, a byte order mark included.

    Raises DataError when it cannot be read, at `asked_at`, which is where it is named, or is not UTF-8.
    """
    name = str(path)
    try:
        raw = inputs.file(name)
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "")
        raise DataError(Problem(f"cannot read it: {error.strerror}", asked_at, path=name, hint=hint)) from None
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        mark = place_of(raw[: error.start].decode(), name, len(raw[: error.start].decode()))
        raise DataError(Problem("not UTF-8", mark, hint="save the file as UTF-8")) from None


def read_yaml(path: Path, inputs: Inputs | None = None, *, show_tags: bool = False) -> Any:
    """Give the value of a YAML file (a `.json` file is read as JSON), its containers as Table and Array with marks.

    show_tags: as parse_yaml has it. Raises DataError, with line and column, for what cannot be read.
    """
    text = read_text(path, inputs or Inputs())
    return parse_json(text, str(path)) if path.suffix == ".json" else parse_yaml(text, str(path), show_tags=show_tags)


def read_facts(path: Path, inputs: Inputs | None = None) -> Table:
    """Give the facts of a file as `facter --yaml` or `--json` prints it, or as `puppet facts` does (under `values`).

    Raises DataError when it cannot be read or holds no hash of names.
    """
    return _facts(read_yaml(path, inputs), str(path))


def parse_facts(text: str, name: str) -> Table:
    """Give the facts of a JSON text as `facter --json` prints it; `name` is what errors call it. Raises DataError as read_facts."""
    return _facts(parse_json(text, name), name)


def _facts(facts: Any, name: str) -> Table:
    if isinstance(facts, Table) and isinstance(facts.get("values"), Table) and "name" in facts:
        facts = facts["values"]
    if not isinstance(facts, Table):
        raise DataError(Problem("facts are a hash of names and values", Mark(name, 1, 1), hint="as `facter --yaml` prints them"))
    return facts
