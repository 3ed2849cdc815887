"""Data as a file would hold them."""

from __future__ import annotations

from typing import Any

from runit_provision.model.data import Sensitive


def plain(value: Any) -> Any:
    """Give looked-up data as plain hashes, lists and scalars, secrets unwrapped."""
    if isinstance(value, Sensitive):
        return plain(value.unwrap())
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value
