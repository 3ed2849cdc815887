"""hiera.yaml of version 5 without Puppet: read, interpolate, merge, look up, explain.

The road of a lookup: `hierarchy` (layers, options, conversion) -> `layer` (levels and their files) -> `documents` (what a key has in a
file) -> `interpolation` of what was found -> `merging`. `config` says which files there are, `formats` reads them with the place of
every item, `types` has what convert_to and --type name, `ruby` what Puppet leaves to Ruby, `values` what all of them know. The road
is imported when a hierarchy is opened: who has data that are resolved already, only reads a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runit_provision.errors import DataError
from runit_provision.hiera.formats.files import parse_facts, read_facts, read_text, read_yaml
from runit_provision.hiera.formats.yaml_document import Tagged, parse_yaml
from runit_provision.hiera.formats.yaml_text import yaml_text
from runit_provision.hiera.values.ways import dotted
from runit_provision.inputs import Inputs

if TYPE_CHECKING:
    from runit_provision.hiera.hierarchy import Hierarchy

__all__ = [
    "DataError",
    "Tagged",
    "dotted",
    "open_hierarchy",
    "parse_facts",
    "parse_yaml",
    "read_facts",
    "read_text",
    "read_yaml",
    "yaml_text",
]


def open_hierarchy(
    config: Path,
    *,
    facts: Mapping[str, Any],
    node: str,
    environment: str = "production",
    environment_path: Path | None = None,
    modulepath: Sequence[Path] = (),
    trusted: Mapping[str, Any] | None = None,
    strict: bool = True,
    inputs: Inputs | None = None,
) -> Hierarchy:
    """Open the hierarchy of the hiera.yaml at `config` as the node `node` with its facts sees it.

    environment_path: a folder whose own hiera.yaml is the environment's layer; modulepath: folders of modules, whose hiera.yaml are
    the modules' layers; trusted: trusted facts beside those that the node's name gives; strict: undefined variables and files without
    a hash are errors, as in Puppet 8; False is as Puppet 7. inputs: is told of everything that is read. Raises
    DataError when hiera.yaml cannot be read or is wrong.
    """
    from runit_provision.hiera.documents import Documents
    from runit_provision.hiera.hierarchy import Hierarchy
    from runit_provision.hiera.scope import Scope

    scope = Scope(facts, node=node, environment=environment, trusted=trusted, strict=strict)
    return Hierarchy(config, scope, environment=environment_path, modulepath=modulepath, documents=Documents(inputs or Inputs()))
