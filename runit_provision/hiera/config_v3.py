"""hiera.yaml of version 3: not read, but told how it is written in version 5."""

from __future__ import annotations

from typing import Any

from runit_provision.model.data import Table

_FUNCTIONS = {
    "yaml": "data_hash: yaml_data",
    "json": "data_hash: json_data",
    "hocon": "data_hash: hocon_data",
    "eyaml": "lookup_key: eyaml_lookup_key",
}
_KNOWN = ("backends", "hierarchy", "merge_behavior", "deep_merge_options", "version", *_FUNCTIONS)
_DEEP_OPTIONS = ("knockout_prefix", "sort_merged_arrays", "merge_hash_arrays")
_EXTENSIONS = {"hocon": "conf"}


def as_version_5(data: Table) -> str:
    """Give the text of a hiera.yaml of version 5 that means what the version 3 in `data` means."""
    backends = _list(data.get("backends")) or ["yaml"]
    levels = _list(data.get("hierarchy")) or ["common"]
    lines = ["version: 5", "hierarchy:"]
    for backend in backends:
        settings = data.get(backend)
        options = settings if isinstance(settings, Table) else Table()
        name, paths = f"{backend} data", [f"{level}.{_EXTENSIONS.get(backend, backend)}" for level in levels]
        lines += [f"  - name: {_quoted(name)}", f"    {_FUNCTIONS.get(backend, f'lookup_key: {backend}_lookup_key')}"]
        if datadir := options.get("datadir"):
            lines.append(f"    datadir: {_quoted(str(datadir))}")
        lines.append("    paths:")
        lines += [f"      - {_quoted(entry)}" for entry in paths]
        keys = [(str(key), value) for key, value in options.items() if str(key).startswith("pkcs7")]
        if keys:
            lines.append("    options:")
            lines += [f"      {key}: {_quoted(str(value))}" for key, value in keys]
    return "\n".join([*lines, *_left_over(data)])


def _left_over(data: Table) -> list[str]:
    """What version 5 has no place for, as comments that say what to do instead."""
    lines = []
    behavior = data.get("merge_behavior")
    if behavior not in (None, "native"):
        options = data.get("deep_merge_options")
        given = options if isinstance(options, Table) else Table()
        entry = ", ".join(["strategy: deep", *(f"{name}: {_written(value)}" for name, value in given.items() if name in _DEEP_OPTIONS)])
        lines += [f"# :merge_behavior: {behavior} is said in the data, of each key or pattern that is merged:", "# lookup_options:"]
        lines += [f"#   some::key: {{merge: {{{entry}}}}}"]
    return lines + [f"# :{name}: has no counterpart" for name in data if name not in _KNOWN and name not in _list(data.get("backends"))]


def _written(value: Any) -> str:
    return _quoted(value) if isinstance(value, str) else str(value).lower()


def _list(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)] if value else []


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
