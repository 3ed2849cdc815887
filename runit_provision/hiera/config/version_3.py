"""hiera.yaml of version 3: not read, but told how it is written in version 5."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runit_provision.hiera.config.place import Place
from runit_provision.model.data import Table

_FUNCTIONS = {
    "yaml": "data_hash: yaml_data",
    "json": "data_hash: json_data",
    "hocon": "data_hash: hocon_data",
    "eyaml": "lookup_key: eyaml_lookup_key",
}
_KNOWN = ("backends", "hierarchy", "merge_behavior", "deep_merge_options", "version", *_FUNCTIONS)
_DEEP_OPTIONS = ("knockout_prefix", "sort_merged_arrays", "merge_hash_arrays")
_EXTENSIONS = {"yaml": "yaml", "json": "json", "hocon": "conf"}
"""Those that version 3 has no setting for."""
_DATADIRS = {
    Place.GLOBAL: "/etc/puppetlabs/code/environments/%{environment}/hieradata",
    Place.ENVIRONMENT: "hieradata",
    Place.MODULE: "data",
}
"""Where version 3 looks when nothing is said: the same folder from wherever an environment is; a module never had it."""


def as_version_5(data: Table, place: Place) -> str:
    """Give the text of a hiera.yaml of version 5 at `place` that means what the version 3 in `data` means."""
    backends = list(_words(data.get("backends"))) or ["yaml"]
    levels = list(_words(data.get("hierarchy"))) or ["common"]
    lines = ["version: 5", "hierarchy:"]
    for backend in dict.fromkeys(backends):
        settings = data.get(backend)
        lines += _level(backend, levels, settings if isinstance(settings, Table) else Table(), _DATADIRS[place])
    return "\n".join([*lines, *_left_over(data, backends)])


def _level(backend: str, levels: list[str], settings: Table, default: str) -> Iterator[str]:
    datadir, own = settings.get("datadir"), settings.get("extension")
    extension = _EXTENSIONS.get(backend) or (own if isinstance(own, str) and own else backend)
    yield f"  - name: {_quoted(f'{backend} data')}"
    unknown = f"lookup_key: {backend}_lookup_key  # a function of Ruby or Puppet code, which cannot run here"
    yield f"    {_FUNCTIONS.get(backend, unknown)}"
    yield f"    datadir: {_quoted(datadir if isinstance(datadir, str) and datadir else default)}"
    yield "    paths:"
    yield from (f"      - {_quoted(f'{level}.{extension}')}" for level in levels)
    options = {key: value for key, value in settings.items() if key not in {"datadir", "extension"}}
    if options and backend not in _EXTENSIONS:
        yield "    options:"
        yield from (f"      {key}: {_written(value)}" for key, value in options.items())


def _left_over(data: Table, backends: list[str]) -> Iterator[str]:
    """What version 5 has no place for, as comments that say what to do instead."""
    behavior = data.get("merge_behavior")
    if behavior not in (None, "native"):
        options = data.get("deep_merge_options")
        given = options if isinstance(options, Table) else Table()
        entry = ", ".join(["strategy: deep", *(f"{name}: {_written(value)}" for name, value in given.items() if name in _DEEP_OPTIONS)])
        yield f"# :merge_behavior: {behavior} is said in the data, of each key or pattern that is merged:"
        yield "# lookup_options:"
        yield f"#   some::key: {{merge: {{{entry}}}}}"
    yield from (f"# :{name}: has no counterpart" for name in data if name not in _KNOWN and name not in backends)


def _words(value: Any) -> Iterator[str]:
    """Give the words of a list or of a single one, as version 3 takes both."""
    match value:
        case list():
            for item in value:
                yield from _words(item)
        case str() | int() | float() if value != "" and not isinstance(value, bool):
            yield str(value)


def _written(value: Any) -> str:
    """Give a value in YAML's flow style."""
    match value:
        case None:
            return "~"
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case list():
            return f"[{', '.join(map(_written, value))}]"
        case dict():
            return f"{{{', '.join(f'{_written(key)}: {_written(item)}' for key, item in value.items())}}}"
        case _:
            return _quoted(str(value))


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)
