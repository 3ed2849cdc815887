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
    return "\n".join(lines)


def _list(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)] if value else []


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
