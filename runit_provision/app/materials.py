"""What the data name, found on this machine: templates and files, in folders that lie where the data do."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from runit_provision.app.memory import bounded
from runit_provision.errors import DataError, Problem
from runit_provision.inputs import Inputs
from runit_provision.schema.materials import Material, MaterialError

_DEPTH = 20
"""Folders within folders that are followed; links could make it more."""


class Found:
    """Finds them. folder: the data's own; shipped: the templates that every other may include."""

    def __init__(self, folder: Path, shipped: Mapping[str, str], inputs: Inputs) -> None:
        self._folder = folder
        self._shipped = shipped
        self._inputs = inputs

    def template(self, name: str, folders: tuple[str, ...], values: Mapping[str, Any]) -> str:
        """See Materials."""
        from runit_provision.render import expand

        try:
            with bounded():
                return expand(self.templates(folders), name, values)
        except DataError as error:
            places = ", ".join(str(self._folder / folder) for folder in folders)
            hint = f"looked for in {places}" if "no template" in str(error) else ""
            raise MaterialError("\n".join(str(self.placed(problem, folders)) for problem in error.problems), hint=hint) from error

    def placed(self, problem: Problem, folders: tuple[str, ...]) -> Problem:
        """Give a problem of a template with the whole path of that; a shipped one has its name alone."""
        mark = problem.mark
        path = next((path for path in self._candidates(mark.file, folders) if path.is_file()), None) if mark else None
        return replace(problem, mark=replace(mark, file=str(path))) if mark and path else problem

    def templates(self, folders: tuple[str, ...]) -> Templates:
        """Give every template by its name, as far as one is asked for: those in `folders` before those that are shipped."""
        return Templates(self, folders, self._shipped)

    def file(self, name: str, folders: tuple[str, ...]) -> Material:
        """See Materials."""
        for path in self._candidates(name, folders):
            if self._inputs.exists(str(path)):
                return self._material(path)
        raise self._missing("file", name, folders)

    def folder(self, name: str, folders: tuple[str, ...]) -> Mapping[str, Material]:
        """See Materials."""
        for path in self._candidates(name, folders):
            if self._inputs.is_folder(str(path)):
                return {str(file.relative_to(path)): self._material(file) for file in self._files(path, _DEPTH)}
        raise self._missing("folder", name, folders)

    def read(self, name: str, folders: tuple[str, ...]) -> str | None:
        """Give the text of the template `name`, None when no folder has it."""
        for path in self._candidates(name, folders):
            if self._inputs.exists(str(path)):
                try:
                    return self._material(path).content.decode()
                except UnicodeDecodeError:
                    raise MaterialError(f"{path} is not valid UTF-8") from None
        return None

    def _files(self, folder: Path, depth: int) -> Iterator[Path]:
        if depth == 0:
            raise MaterialError(f"{folder} is nested too deep", hint="is there a link that leads to a folder above itself?")
        for name in self._inputs.names(str(folder)):
            if self._inputs.is_folder(str(folder / name)):
                yield from self._files(folder / name, depth - 1)
            else:
                yield folder / name

    def _candidates(self, name: str, folders: tuple[str, ...]) -> Iterator[Path]:
        if name.startswith("/"):
            yield Path(name)
            return
        if ".." in name.split("/"):
            raise MaterialError(
                f"{name!r} leads upwards with `..`", hint="give an absolute path, or one below a folder that is searched"
            )
        yield from (self._folder / folder / name for folder in folders)

    def _material(self, path: Path) -> Material:
        try:
            if not path.is_file():
                raise MaterialError(f"{path} is no regular file")
            return Material(self._inputs.file(str(path)), self._inputs.is_executable(str(path)))
        except OSError as error:
            raise MaterialError(f"{path} cannot be read: {error.strerror}") from error

    def _missing(self, what: str, name: str, folders: tuple[str, ...]) -> MaterialError:
        places = "" if name.startswith("/") else ", ".join(os.path.normpath(self._folder / folder) for folder in folders)
        return MaterialError(f"there is no {what} {name!r}", hint=places and f"looked for in {places}")


class Templates(Mapping[str, str]):
    """Templates by name, read when they are asked for."""

    def __init__(self, found: Found, folders: tuple[str, ...], shipped: Mapping[str, str]) -> None:
        self._found = found
        self._folders = folders
        self._shipped = shipped
        self._read: dict[str, str | None] = {}

    def __getitem__(self, name: str) -> str:
        if name not in self._read:
            self._read[name] = self._found.read(name, self._folders)
        own = self._read[name]
        return self._shipped[name] if own is None else own

    @property
    def replaced(self) -> tuple[str, ...]:
        """Give the names of shipped ones that another took the place of, as far as they were asked for."""
        return tuple(sorted(name for name, own in self._read.items() if own is not None and name in self._shipped))

    def __iter__(self) -> Iterator[str]:
        return iter(self._shipped)

    def __len__(self) -> int:
        return len(self._shipped)
