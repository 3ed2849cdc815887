"""Where the items of a merged value come from: of each file the largest that are its alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runit_provision.errors import Mark


def origins(value: Any, path: str = "") -> Iterator[tuple[str, Mark]]:
    """Give the items of a hash or a list with their dotted subkeys and their places; one with parts of several files in parts."""
    for key, item, mark in _items(value):
        name = f"{path}.{key}" if path else str(key)
        files = set(_files(item)) | ({mark.file} if mark else set())
        if len(files) > 1 and isinstance(item, dict | list):
            yield from origins(item, name)
        elif mark:
            yield name, mark


def _items(value: Any) -> Iterator[tuple[Any, Any, Mark | None]]:
    match value:
        case dict():
            marks = getattr(value, "marks", {})
            yield from ((key, item, marks.get(key)) for key, item in value.items())
        case list():
            places = getattr(value, "marks", [])
            yield from ((index, item, places[index] if index < len(places) else None) for index, item in enumerate(value))


def _files(value: Any) -> Iterator[str]:
    for _, item, mark in _items(value):
        if mark:
            yield mark.file
        yield from _files(item)
