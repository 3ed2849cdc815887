"""Whole scripts and other files: the data's text, a template with its variables in it, or a copy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from runit_provision.model.data import Sensitive
from runit_provision.model.run import Script
from runit_provision.model.service import ExtraDirectory, ExtraFile
from runit_provision.model.tree import Owner
from runit_provision.schema.fields import script
from runit_provision.schema.file_spec import FileSpec, ScriptSpec
from runit_provision.schema.materials import Material, MaterialError
from runit_provision.schema.place import Place
from runit_provision.schema.problems import Path

_WAYS = ("content", "template", "source")
_OURS = frozenset(
    (
        *("run", "finish", "check", "down", "env", "control", "log", "supervise", "service", "sv"),
        *("timeout-kill", "timeout-finish", "notification-fd", "max-delay", "kill-orphans", "control-access"),
        *("restart_count", "last_finish", "gave_up", "mailed", "succeeded", "failed"),
    )
)


class Contents:
    """Reads what the files of one service hold; `known` is what every template knows of it."""

    def __init__(self, place: Place, known: Mapping[str, Any]) -> None:
        self._place = place
        self._known = {"service": dict(known)}

    def script(self, spec: ScriptSpec, path: Path) -> Script:
        """Give the whole script that `spec`, which stands at `path`, asks for."""
        way = self._way(spec, path)
        text, secret = spec.content or "", False
        try:
            if way == "template":
                text, secret = self._rendered(spec)
                text = script(text)
            elif way == "source":
                text = script(self._place.copied(spec.source or "").content.decode())
        except MaterialError as error:
            self._place.problems.add((*path, way), str(error), hint=error.hint)
        except PydanticCustomError as error:
            self._place.problems.add((*path, way), f"gives {error.message()}", hint=str((error.context or {})["hint"]))
        except UnicodeDecodeError:
            self._place.problems.add((*path, way), "is not valid UTF-8")
        else:
            self._place.check_syntax(text, (*path, way))
        return Script(text, secret)

    def files(self, specs: Mapping[str, FileSpec], program: str, path: Path) -> tuple[ExtraFile | ExtraDirectory, ...]:
        """Give the other files and directories by path, those that are named over those that come with a folder."""
        found: dict[str, ExtraFile | ExtraDirectory] = {}
        for name, spec in sorted(specs.items(), key=lambda item: (not item[0].endswith("/"), item[0])):
            at = (*path, name)
            if name.split("/")[0] in _OURS:
                self._place.problems.add(at, f"{name.rstrip('/')} is written by other keys, or by the supervisor")
            self._check_owner(spec, at)
            for entry in self._directory(name.rstrip("/"), spec, at) if name.endswith("/") else self._file(name, spec, program, at):
                found[entry.path] = entry
        for name in found:
            above = [parent for parent in _above(name) if isinstance(found.get(parent), ExtraFile)]
            if above:
                self._place.problems.add((*path, name), f"lies in {above[0]}, which is a file")
        return tuple(found[name] for name in sorted(found))

    def _file(self, name: str, spec: FileSpec, program: str, path: Path) -> Iterator[ExtraFile]:
        way = self._way(spec, path)
        secret, material = False, Material(b"", executable=False)
        try:
            if way == "content" and spec.content:
                secret, material = spec.content.secret, Material(spec.content.text.encode(), executable=False)
            elif way == "template":
                text, secret = self._rendered(spec)
                material = Material(text.encode(), executable=False)
            elif way == "source":
                material = self._place.copied(spec.source or "")
        except MaterialError as error:
            self._place.problems.add((*path, way), str(error), hint=error.hint)
        if not secret and material.content.startswith(b"#!"):
            self._place.check_syntax(material.content.decode(errors="surrogateescape"), (*path, way))
        if secret:
            self._check_mode(spec, path)
        restarts = program == f"./{name}" if spec.restarts is None else spec.restarts
        yield self._made(name, spec, material, secret=secret, restarts=restarts)

    def _check_mode(self, spec: FileSpec, path: Path) -> None:
        if spec.mode is not None and spec.mode & 0o007:
            message = f"a secret may not stand here: everybody could read or change it with {spec.mode:04o}"
            self._place.problems.add((*path, "mode"), message, hint="0600, or 0640 with a `group`")

    def _made(self, name: str, spec: FileSpec, material: Material, *, secret: bool, restarts: bool) -> ExtraFile:
        usual = 0o600 if secret else 0o755 if material.executable else 0o644
        return ExtraFile(name, material.content, usual if spec.mode is None else spec.mode, secret, restarts, _owner(spec, self._place))

    def _directory(self, name: str, spec: FileSpec, path: Path) -> Iterator[ExtraFile | ExtraDirectory]:
        """Give a directory, and copies of all that its source holds; mode and owner are the directory's, which others may write to."""
        for key in ("content", "template", "variables"):
            if key in spec.model_fields_set:
                self._place.problems.add(
                    (*path, key), "a path that ends in a slash is a directory's", hint="give `source`, or no slash"
                )
        yield ExtraDirectory(name, 0o755 if spec.mode is None else spec.mode, _owner(spec, self._place))
        if spec.source is None:
            return
        try:
            materials = self._place.copied_folder(spec.source)
        except MaterialError as error:
            self._place.problems.add((*path, "source"), str(error), hint=error.hint)
            return
        plain = FileSpec(owner=spec.owner, group=spec.group)
        for inner, material in sorted(materials.items()):
            yield self._made(f"{name}/{inner}", plain, material, secret=False, restarts=bool(spec.restarts))

    def _way(self, spec: ScriptSpec | FileSpec, path: Path) -> str:
        """Give which of the three ways is taken."""
        given = [way for way in _WAYS if getattr(spec, way) is not None]
        if not given:
            self._place.problems.add(path, "says nothing of what it holds", hint="give `content`, `template` or `source`")
        for way in given[1:]:
            self._place.problems.add((*path, way), f"says what `{given[0]}` says", hint="keep one")
        if spec.variables and "template" not in given:
            self._place.problems.add((*path, "variables"), "has no effect without a `template`")
        return given[0] if given else "content"

    def _rendered(self, spec: ScriptSpec | FileSpec) -> tuple[str, bool]:
        values, secrets = _revealed(spec.variables)
        return self._place.rendered(spec.template or "", {**values, **self._known}), secrets

    def _check_owner(self, spec: FileSpec, path: Path) -> None:
        if spec.owner:
            self._place.find_account(spec.owner, (*path, "owner"))
        if spec.group:
            self._place.find_group(spec.group, (*path, "group"))
        for key in ("owner", "group"):
            given = getattr(spec, key)
            if given and not self._place.privileged and (key, given) != ("owner", self._place.account.name):
                self._place.problems.add(
                    (*path, key), f"only root may give files away, and this tree belongs to {self._place.account.name}"
                )


def _above(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _owner(spec: FileSpec, place: Place) -> Owner | None:
    return Owner(spec.owner or place.account.name, spec.group) if spec.owner or spec.group else None


def _revealed(value: Any) -> tuple[Any, bool]:
    """Give `value` without the wrapping of its secrets, and whether it had any."""
    if isinstance(value, Sensitive):
        return _revealed(value.unwrap())[0], True
    if isinstance(value, dict):
        items = {key: _revealed(item) for key, item in value.items()}
        return {key: item for key, (item, _) in items.items()}, any(secret for _, secret in items.values())
    if isinstance(value, list):
        found = [_revealed(item) for item in value]
        return [item for item, _ in found], any(secret for _, secret in found)
    return value, False
