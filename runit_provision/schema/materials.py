"""What the data only name: templates, and files to copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Material:
    """A file that is copied."""

    content: bytes
    executable: bool


class MaterialError(Exception):
    """What is named is not there, or is not as it has to be. hint: what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Materials(Protocol):
    """Finds what the data name. Folders are relative to that of the data; what is not found, or not right, is a MaterialError."""

    def template(self, name: str, folders: tuple[str, ...], values: Mapping[str, Any]) -> str:
        """Give the text of the template `name` with `values` in it."""

    def file(self, name: str, folders: tuple[str, ...]) -> Material:
        """Give the file `name`, an absolute path or one below a folder."""

    def folder(self, name: str, folders: tuple[str, ...]) -> Mapping[str, Material]:
        """Give every file of the folder `name` by its path in it."""
