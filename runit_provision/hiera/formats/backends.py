"""What reads a level's files. A backend parses a text, and may open what it finds there (decrypt it)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.hiera.formats.files import Parser
from runit_provision.hiera.formats.json_document import parse_json
from runit_provision.hiera.formats.yaml_document import parse_yaml
from runit_provision.inputs import Inputs

Opener = Callable[[str], str]
"""Gives the plain text of a string that a file holds; DataError when it cannot be decrypted."""


def _hocon(text: str, file: str) -> Any:
    try:
        from runit_provision.hiera.formats.hocon.document import parse_hocon
    except ImportError:
        hint = "pip install 'runit-provision[hocon]'"
        raise DataError(Problem("hocon_data needs the library `hocon-parser`", Mark(file, 1, 1), hint=hint)) from None
    return parse_hocon(text, file)


def _eyaml(options: Mapping[str, Any], inputs: Inputs) -> Opener:
    from runit_provision.hiera.formats.eyaml import opener

    return opener(options, inputs)


@dataclass(frozen=True, slots=True)
class Backend:
    """name: as hiera.yaml names it; parse: gives a text's value; opener: makes, from a level's options, what opens strings."""

    name: str
    parse: Parser
    opener: Callable[[Mapping[str, Any], Inputs], Opener] | None = None
    mapping_required: bool = False


BACKENDS: dict[tuple[str, str], Backend] = {
    ("data_hash", "yaml_data"): Backend("yaml_data", parse_yaml),
    ("data_hash", "json_data"): Backend("json_data", parse_json, mapping_required=True),
    ("data_hash", "hocon_data"): Backend("hocon_data", _hocon),
    ("lookup_key", "eyaml_lookup_key"): Backend("eyaml_lookup_key", parse_yaml, _eyaml),
}
"""By the kind of function and its name."""
