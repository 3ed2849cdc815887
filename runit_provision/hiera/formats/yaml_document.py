"""YAML as Puppet reads it, every item with its place.

libyaml's events, which Psych builds on too, come in; Tables and Arrays with marks go out. As in Psych the first document counts,
of equal keys the last one (with a warning), `<<` overrides what stands before it, and tags that name Ruby classes are refused.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml
from yaml._yaml import CParser
from yaml.events import AliasEvent, Event, MappingEndEvent, MappingStartEvent, ScalarEvent, SequenceEndEvent, SequenceStartEvent

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.hiera.formats.scalars import OddKey, Symbol, UnreadableError, scalar
from runit_provision.hiera.values.kinds import is_other_number, shown
from runit_provision.hiera.values.limits import DEEPEST, MOST_VALUES
from runit_provision.model.data import Array, Table

_CORE = "tag:yaml.org,2002:"
_CLASS_TAG = re.compile(r"!(?:ruby/|str:|seq:|map:)|!(?:set|omap)$|tag:yaml\.org,2002:(?:set|omap)$|tag:ruby\.yaml\.org")
_PLAIN_TAGS = {"!", *(_CORE + name for name in ("int", "bool", "null", "timestamp", "seq", "map", "omap")), "!omap"}
"""Tags, beside those that say how to read a text, that mean what was read anyway."""
_SYMBOL = object()


@dataclass(frozen=True, slots=True)
class Tagged:
    """What stands in a document behind a tag that means nothing here, at `mark`."""

    tag: str
    mark: Mark


def parse_yaml(text: str, file: str, *, show_tags: bool = False) -> Any:
    """Give the value of the first document of `text`, None when there is none; `file` names it in marks.

    show_tags: what has an unknown tag comes out as Tagged, and not as if the tag were not there, which is Psych's way.
    Raises DataError with the place of what libyaml or Puppet refuses.
    """
    if text.startswith("\ufeff---"):
        _refuse("a byte order mark directly before `---`", Mark(file, 1, 1), "remove the mark; Puppet does not read it either")
    try:
        value = _Builder(text, file, show_tags=show_tags).document()
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        if place and error.context_mark and place.line >= text.rstrip().count("\n") + 1:
            place = error.context_mark  # all was read before it showed: the place to look at is what was begun and not ended
        mark = Mark(file, place.line + 1, place.column + 1) if place else Mark(file, 1, 1)
        what = ", ".join(part for part in (error.context, error.problem) if part)
        raise DataError(Problem(f"not YAML: {what}", mark, hint=_hint(text, mark, what))) from None
    except yaml.reader.ReaderError as error:
        before = text.encode()[: error.position].decode(errors="ignore")  # libyaml counts bytes
        mark = place_of(text, file, len(before))
        raise DataError(Problem(f"not YAML: {error.reason}", mark, hint="remove the character or write it as an escape")) from None

    if text.startswith("\ufeff") and isinstance(value, Table):
        value.warnings += tuple(_lost(value, file))
    return value


def _lost(table: Table, file: str) -> Iterator[Problem]:
    """Tell of what Puppet does not read: behind a byte order mark the first key stands further right than those below it."""
    lines = [mark.line for mark in table.marks.values()]
    if lines and lines[0] == 1 < lines[-1]:
        yield Problem("a byte order mark: of such a file Puppet reads the first key alone", Mark(file, 1, 1), hint="remove the mark")


def place_of(text: str, file: str, position: int) -> Mark:
    """Give the line and column of the character at `position` (from 0)."""
    line_start = text.rfind("\n", 0, position) + 1
    return Mark(file, text.count("\n", 0, position) + 1, position - line_start + 1)


def _hint(text: str, mark: Mark, what: str) -> str:
    lines = text.splitlines()
    line = lines[mark.line - 1] if mark.line <= len(lines) else ""
    if "\t" in what or "'\\t'" in what or "\t" in line[: len(line) - len(line.lstrip())]:
        return "indent with blanks; YAML allows no tab there"
    if "mapping values are not allowed" in what:
        return "quote a value that holds `: `, or indent the key as its neighbours"
    if "alias" in what:
        return "define the anchor (&name) before the alias (*name)"
    if "start any token" in what:
        return "quote a value that begins with one of @ ` % & *"
    if "escape character" in what:
        return "write the backslash twice, or use single quotes"
    if "quoted scalar" in what or "flow" in what:
        return "look for the end of the quote or bracket that begins before this"
    return "look at this line and the one above it: indentation, quotes and brackets"


def _refuse(what: str, mark: Mark, hint: str) -> NoReturn:
    raise DataError(Problem(what, mark, hint=hint))


class _Builder:
    """Builds the values of one document from its events."""

    def __init__(self, text: str, file: str, *, show_tags: bool) -> None:
        self._next: Callable[[], Event | None] = CParser(text).get_event
        self._file = file
        self._show_tags = show_tags
        self._anchors: dict[str, Any] = {}
        self._sizes: dict[str, int] = {}
        self._open: set[str] = set()
        self._count = 0
        self._depth = 0
        self._warnings: list[Problem] = []

    def document(self) -> Any:
        self._next()  # the stream's start
        if not isinstance(self._next(), yaml.DocumentStartEvent):
            return None
        value = self._value(self._next())
        self._next()  # the document's end, or what should not stand there
        if isinstance(value, Table):
            value.warnings = tuple(self._warnings)
        return value

    def _value(self, event: Any) -> Any:
        self._count += 1
        match event:
            case ScalarEvent():
                return self._remember(event.anchor, self._scalar(event), self._count - 1)
            case MappingStartEvent():
                return self._collection(event, self._table)
            case SequenceStartEvent():
                return self._collection(event, self._array)
            case AliasEvent():
                return self._alias(event)
            case _:
                raise AssertionError(event)

    def _mark(self, event: Event) -> Mark:
        place = event.start_mark
        assert place
        return Mark(self._file, place.line + 1, place.column + 1)

    def _remember(self, anchor: str | None, value: Any, count_before: int) -> Any:
        if anchor:
            self._anchors[anchor] = value
            self._sizes[anchor] = self._count - count_before
        return value

    def _collection(self, event: Any, build: Callable[[Mark], Any]) -> Any:
        mark = self._mark(event)
        if isinstance(event, SequenceStartEvent) and event.tag in ("!omap", _CORE + "omap"):
            build = self._ordered
        elif event.tag and _CLASS_TAG.match(event.tag):
            _refuse(f"the tag {event.tag} names a class, which Puppet refuses", mark, "remove the tag")
        before = self._count - 1
        anchor = event.anchor
        if anchor:
            self._open.add(anchor)
            self._anchors.pop(anchor, None)
        self._depth += 1
        if self._depth > DEEPEST:
            _refuse(f"nested more than {DEEPEST} deep", mark, "")
        value = build(mark)
        if self._show_tags and event.tag and event.tag not in _PLAIN_TAGS:
            value = Tagged(event.tag, mark)
        self._depth -= 1
        self._open.discard(anchor)
        return self._remember(anchor, value, before)

    def _alias(self, event: Any) -> Any:
        name = event.anchor
        if name not in self._anchors:
            if name in self._open:
                _refuse(f"the alias *{name} stands inside of what it names", self._mark(event), "data cannot contain itself")
            _refuse(f"unknown alias *{name}", self._mark(event), "define the anchor (&name) before the alias (*name)")
        self._count += self._sizes[name]
        if self._count > MOST_VALUES:
            _refuse(f"aliases repeat more than {MOST_VALUES} values", self._mark(event), "write the data without nested aliases")
        return self._anchors[name]

    def _array(self, mark: Mark) -> Array:
        result = Array(mark=mark)
        while not isinstance(event := self._next(), SequenceEndEvent):
            assert event is not None
            result.append(self._value(event))
            result.marks.append(self._mark(event))
        return result

    def _ordered(self, mark: Mark) -> Table:
        """An ordered map: a list of hashes with one pair each."""
        pairs = self._array(mark)
        if not all(isinstance(pair, Table) and pair for pair in pairs):
            _refuse("!!omap holds something else than pairs", mark, "write a plain hash; its order is kept")
        keys = [next(iter(pair)) for pair in pairs]
        items = zip(keys, (pair[key] for key, pair in zip(keys, pairs, strict=True)), strict=True)
        return Table(items, marks={key: pair.marks[key] for key, pair in zip(keys, pairs, strict=True)}, mark=mark)

    def _table(self, mark: Mark) -> Table:
        result = Table(mark=mark)
        written: dict[Any, Mark] = {}
        while not isinstance(event := self._next(), MappingEndEvent):
            assert event is not None
            place = self._mark(event)
            key = self._key(event)
            value_event = self._next()
            value = self._value(value_event)
            if key == "<<" and getattr(event, "tag", None) != _CORE + "str" and self._merged(result, value_event, value):
                continue
            if is_other_number(result, key):
                _refuse(f"the key {shown(key)} stands here as another kind of number before", place, "quote one of the two")
            if (first := written.setdefault(key, place)) is not place:
                name = key[1] if isinstance(key, tuple) else key
                what = f"the key {shown(name)} stands here once more: what line {first.line} says of it is lost"
                self._warnings.append(Problem(what, place, hint="keep one of both"))
            result[key] = value
            result.marks[key] = place
        return result if not any(isinstance(key, tuple) for key in result) else _with_strings_for_symbols(result)

    def _key(self, event: Any) -> Any:
        """Give a key; a symbol's stands apart from the same string until the hash is complete, as in Puppet."""
        key = self._value(event)
        if isinstance(key, Symbol):
            return _SYMBOL, str(key)
        return OddKey() if isinstance(key, dict | list) else key

    @staticmethod
    def _merged(table: Table, event: Any, value: Any) -> bool:
        """Merge what `<<` gives into `table`; False when it is not a hash or a list of hashes, so that `<<` is a key as any other."""
        if isinstance(value, Table):
            sources = [value]
        elif isinstance(value, Array) and isinstance(event, SequenceStartEvent) and all(isinstance(item, Table) for item in value):
            sources = value[::-1]
        else:
            return False
        merged: dict[Any, tuple[Any, Mark]] = {}
        for source in sources:
            merged.update({key: (item, source.marks[key]) for key, item in source.items()})
        for key, (item, place) in merged.items():
            table[key] = item
            table.marks[key] = place
        return True

    def _scalar(self, event: ScalarEvent) -> Any:
        text, tag = event.value, event.tag
        if event.implicit[1] and not tag:
            return text
        try:
            return scalar(text) if tag is None or tag == "!" else self._tagged(tag, text, self._mark(event))
        except UnreadableError as error:
            _refuse(str(error), self._mark(event), "quote it to have a string")

    def _tagged(self, tag: str, text: str, mark: Mark) -> Any:
        match tag.removeprefix(_CORE).removeprefix("!"):
            case "str":
                return text
            case "binary":
                return _binary(text, mark)
            case "float":
                return _float(text)
        if re.match(r"!ruby/sym(?:bol)?(?::|$)", tag):
            return Symbol(text)
        if _CLASS_TAG.match(tag):
            _refuse(f"the tag {tag} names a class, which Puppet refuses", mark, "remove the tag")
        return Tagged(tag, mark) if self._show_tags and tag not in _PLAIN_TAGS else scalar(text)


def _with_strings_for_symbols(table: Table) -> Table:
    def name(key: Any) -> Any:
        return key[1] if isinstance(key, tuple) else key

    items = [(name(key), value) for key, value in table.items()]
    return Table(items, marks={name(key): mark for key, mark in table.marks.items()}, mark=table.mark)


def _float(text: str) -> float:
    value = scalar(text)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise UnreadableError("!!float of what is not a number")
    try:
        return float(value)
    except ValueError:
        raise UnreadableError("!!float of what is not a number") from None


def _binary(text: str, mark: Mark) -> str:
    try:
        return binascii.a2b_base64(text).decode()
    except ValueError:
        _refuse("binary data that is not UTF-8 text", mark, "keep binary content in a file")
