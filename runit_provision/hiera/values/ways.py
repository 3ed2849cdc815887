"""The way to an item within a value."""

from __future__ import annotations

from collections.abc import Hashable

Path = tuple[Hashable, ...]
"""The subkeys that lead to the item, none of them for the value itself."""


def dotted(key: str, path: Path) -> str:
    """Give `key`, if there is one, with the subkeys of `path`, as a lookup would name the item."""
    names = (f"'{segment}'" if isinstance(segment, str) and "." in segment else str(segment) for segment in path)
    return ".".join(filter(None, [key, *names]))
