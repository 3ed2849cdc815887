"""Everything that is wrong, gathered: what pydantic refuses, and what only the whole data can show."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from runit_provision.errors import DataError, Problem, nearest
from runit_provision.model.data import Sensitive, locate
from runit_provision.model.tree import Origin
from runit_provision.schema.fields import kind, shown

Path = tuple[str | int, ...]

_MESSAGES = {
    "bool_type": "has to be true or false, not {value}",
    "int_type": "has to be a whole number, not {value}",
    "int_parsing": "has to be a whole number, not {value}",
    "int_from_float": "has to be a whole number, not {value}",
    "string_type": "has to be a string, not {kind}",
    "dict_type": "has to be a hash, not {kind}",
    "model_type": "has to be a hash, not {kind}",
    "list_type": "has to be a list, not {kind}",
    "invalid_key": "a key has to be a string, not {kind}",
    "missing": "is missing",
    "string_pattern_mismatch": "{value} is not of the form {pattern}",
    "greater_than_equal": "{value} is less than {ge}",
    "less_than_equal": "{value} is more than {le}",
    "literal_error": "has to be {expected}, not {value}",
}


_FEW = 12
"""Keys that a hint can still list."""


class Problems:
    """Collects problems of `data`, each at its path below the key `runit`. where: whose accounts are known, in words."""

    def __init__(self, data: Any, *, root: str, where: str, strange: Callable[[Problem], None] | None = None) -> None:
        self._data = data
        self._where = where
        self._root = root
        self._strange = strange
        self._found: list[Problem] = []
        self._refused: tuple[Path, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def takes_strangers(self) -> bool:
        """Whether an account or group that is not there is told to somebody, and no problem."""
        return self._strange is not None

    def add_stranger(self, path: Path, message: str, *, hint: str) -> None:
        """Note an account or a group that is not there, and that `path` names; what stands there has no part in it."""
        path = self._path(path, missing=False)
        (self._strange or self.note)(Problem(f"{message} {self._where}", mark=locate(self._data, path), key=self.key(path), hint=hint))

    def add(self, path: Path, message: str, *, hint: str = "", missing: bool = False) -> None:
        """Note one problem of what stands at `path`, unless a part of that was refused: it may only seem wrong without it.

        missing: the last part of the path is not there.
        """
        path = self._path(path, missing=missing)
        if any(refused[: len(path)] == path for refused in self._refused):
            return
        self.note(Problem(message, mark=locate(self._data, path), key=self.key(path), hint=hint))

    def note(self, problem: Problem) -> None:
        """Note a problem that knows its place; the same one (of defaults that many services share) only once."""
        if problem.mark is None or not any((known.mark, known.message) == (problem.mark, problem.message) for known in self._found):
            self._found.append(problem)

    def add_all(self, error: ValidationError, model: type[BaseModel]) -> tuple[Path, ...]:
        """Note every problem that pydantic found in the data of `model`, and give the paths of what it refused."""
        refused = []
        for item in error.errors(include_url=False):
            context = item.get("ctx", {})
            missing = item["type"] == "missing"
            path = self._path((*item["loc"], *context.get("at", ())), missing=missing)
            if item["type"] == "extra_forbidden":
                self.add(path, "unknown key", hint=_nearest(str(path[-1]), known_keys(model, item["loc"][:-1])))
            else:
                hint = str(context.get("hint", "")) or (_keys(known_keys(model, item["loc"])) if item["type"] == "model_type" else "")
                self.add(path, self._message(item, context), hint=hint, missing=missing)
            refused.append(path)
        self._refused += tuple(refused)
        return tuple(refused)

    def _message(self, item: Any, context: dict[str, Any]) -> str:
        if item["type"] == "value":
            return str(context["message"])
        value = shown(item["input"])
        form = _MESSAGES.get(item["type"])
        if form:
            return form.format(
                value=value, kind=kind(item["input"]), **{k: v for k, v in context.items() if k not in ("value", "kind")}
            )
        message: str = item["msg"]
        return f"{message[0].lower()}{message[1:]}, not {value}"

    def _path(self, loc: Iterable[str | int], *, missing: bool) -> Path:
        """Keep of pydantic's location what the data really holds: it also names what was made of shorter forms."""
        loc = tuple(loc)
        value, path = self._data, []
        for place, item in enumerate(loc):
            if isinstance(value, Sensitive):
                value = value.unwrap()
            part = _key(value, item) if isinstance(value, dict) else item
            held = (isinstance(value, dict) and part in value) or (
                isinstance(value, list) and isinstance(part, int) and part < len(value)
            )
            if held:
                path.append(part)
                value = value[part]
            elif missing and place == len(loc) - 1:
                path.append(part)
        return tuple(path)

    def again(self, path: Path) -> Iterator[tuple[int, Any]]:
        """Give each item of the list at `path` that stands there before, and its index; none where no list is."""
        held = self._data
        for part in path:
            held = held.get(part) if isinstance(held, dict) else None
        for index, item in enumerate(held if isinstance(held, list) else ()):
            if item in held[:index]:
                yield index, item

    def key(self, path: Path) -> str:
        """Write a path as the dotted key that `lookup` would take."""
        return ".".join([self._root, *(_quoted(part) for part in path)])

    def origin(self, path: Path) -> Origin:
        """Give why something is there: its key, and where that was written."""
        return Origin(self.key(path), locate(self._data, path))

    def origins(self, path: Path, parts: Iterable[Path]) -> dict[str, Origin]:
        """Give the origin of each of `parts` below `path`, by the part as text; the way to `path` is gone once."""
        key, mark, data = self.key(path), locate(self._data, path), self._data
        for step in path:
            data = data.unwrap() if isinstance(data, Sensitive) else data
            data = data.get(step) if isinstance(data, dict) else None
        return {".".join(map(str, part)): Origin(".".join([key, *map(_quoted, part)]), locate(data, part) or mark) for part in parts}

    def raise_any(self) -> None:
        """Raise DataError with every problem, in the order of the source, if there is one."""
        if self._found:
            raise DataError(*sorted(self._found, key=lambda p: (p.mark.file, p.mark.line, p.mark.column) if p.mark else ("", 0, 0)))


def _key(table: dict[Any, Any], said: str | int) -> Any:
    """Give the key of `table` that pydantic calls `said`: it has numbers for truth values, and strings for all other kinds."""
    if isinstance(said, str) and said in table:
        return said
    return next((key for key in table if key == said or (not isinstance(key, str) and str(key) == said)), said)


def _quoted(part: str | float | None) -> str:
    if part is None or isinstance(part, int):
        return "null" if part is None else str(part).lower()
    part = str(part)
    return repr(part) if "." in part or not part or not part.isprintable() else part


def _nearest(key: str, known: Iterable[str]) -> str:
    known = list(known)
    few = f"known are {', '.join(known)}" if 0 < len(known) <= _FEW else "`runit-provision schema` lists the known ones"
    return nearest(key, known, few)


def _keys(known: tuple[str, ...]) -> str:
    """Say what a hash holds that something else stands in the place of."""
    return f"its keys are {', '.join(known)}" if len(known) <= _FEW else f"its keys are {', '.join(known[:3])} and more"


def known_keys(model: type[BaseModel], path: Path) -> tuple[str, ...]:
    """Give the keys that may stand at `path` below the data of `model`."""
    current: Any = model
    for part in path:
        current = _inner(current)
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            current = field.annotation if field else None
        elif get_origin(current) is dict:
            current = get_args(current)[1]
        elif get_origin(current) is list:
            current = get_args(current)[0]
    current = _inner(current)
    return tuple(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else ()


def _inner(annotation: Any) -> Any:
    """Take off what only adds to a type: Annotated, and None as an alternative."""
    while True:
        if hasattr(annotation, "__metadata__"):
            annotation = annotation.__origin__
        elif get_origin(annotation) in (Union, types.UnionType):
            annotation = next(arg for arg in get_args(annotation) if arg is not type(None))
        else:
            return annotation
