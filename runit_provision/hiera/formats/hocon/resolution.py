"""HOCON's substitutions, resolved as its specification says in whatever order a file writes them.

`hocon-parser` reads the text; its own resolver goes from top to bottom and keeps one earlier value of each key, which loses values
where three are written or a path leads through a later substitution. Here a key keeps all that is written for it, and each is evaluated
when it is asked for: what another value hides never is, and a substitution that leads back to its own key finds the values below.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import chain
from typing import NoReturn

from hocon import ResolveError
from hocon._internal.parser.ast import AstArray, AstConcat, AstObject, AstScalar, AstSubst
from hocon.value import HoconArray, HoconObject, HoconScalar, HoconValue

from runit_provision.hiera.formats.hocon.nodes import (
    Append,
    Fields,
    Node,
    concatenations,
    fields_of,
    is_blank,
    parts,
    refuse_appends_in_lists,
)
from runit_provision.hiera.values.limits import MOST_VALUES

_NO_CIRCLE = 1_000_000
"""Deeper than any key."""


class NowhereError(ResolveError):
    """A substitution leads nowhere, and says that it must not."""


class _CircleError(ResolveError):
    """A substitution leads back to a key that is under way and has nothing else; an optional one leads nowhere then."""


@dataclass(eq=False)
class _Hash:
    """Hashes that merge, lowest first."""

    layers: tuple[Fields, ...]
    hides: bool
    """Whether it stands above a scalar or a list: then nothing merges with it from below."""
    keys: dict[str, _Key] = field(default_factory=dict)

    def names(self) -> Iterator[str]:
        """Give the keys in Puppet's order: those of the hash that is written last come first."""
        return iter(dict.fromkeys(name for layer in reversed(self.layers) for name in layer))

    def key(self, name: str) -> _Key:
        """Give what is written for `name`, which may be nothing."""
        if name not in self.keys:
            written = [(node, id(layer)) for layer in self.layers for node in layer.get(name, ())]
            self.keys[name] = _Key([node for node, _ in written], [layer for _, layer in written])
        return self.keys[name]


@dataclass(eq=False)
class _List:
    items: list[tuple[Node, _Key]]
    """Each with the key that it is written for."""


Value = HoconScalar | _Hash | _List


@dataclass(eq=False)
class _Key:
    """What is written for one key, lowest first, and in which layer (its id) of its hash."""

    written: list[Node]
    layers: list[int]
    counting: set[int] = field(default_factory=set)
    """The layers whose hashes its value is made of: not those where nothing came of what is written, or that are hidden."""
    under_way: int | None = None
    known: Value | None = None
    is_known: bool = False


@dataclass(eq=False)
class _WrittenOut:
    """What a hash or a list became, which may stand in many places.

    value: kept, since it is known by its id; count: how many values it is; ids: those of the lists in it and of the layers of hashes;
    is_alone: no circle was met within it.
    """

    value: Value
    count: int
    ids: set[int] = field(default_factory=set)
    is_alone: bool = True
    result: HoconValue | None = None

    def take(self, inner: _WrittenOut) -> None:
        """Count what `inner` holds as its own."""
        self.ids |= inner.ids

    def has(self, around: Value, layers: set[int]) -> bool:
        """Whether something in it may be what is around it, which would be a circle."""
        return id(around) in self.ids or not self.ids.isdisjoint(layers)


def resolved(root: AstObject) -> HoconValue:
    """Give the value of a file; raises ResolveError for what leads nowhere or in a circle, RecursionError for too deep nesting."""
    return _Resolver(root).whole()


class _Resolver:
    def __init__(self, root: AstObject) -> None:
        refuse_appends_in_lists(root, in_list=False)
        self._fields: dict[tuple[int, ...], Fields] = {}
        self._hashes: dict[tuple[int, ...], _Hash] = {}
        self._root = self._hash(self._merged_fields([root]))
        self._around_substitutions = dict(concatenations(root, ()))
        self._under_way: list[_Key] = []
        self._lowest = _NO_CIRCLE
        """How deep in that list the first key stands that was led back to since the innermost began."""
        self._around: list[tuple[Value, set[int]]] = []
        """The hashes and lists that are being written out, outermost first, and (their ids) the layers that have the key in turn."""
        self._count = 0
        self._place = root.pos
        """What is evaluated or written out, for an error."""
        self._met: set[int] = set()
        """The ids of hashes and lists that were written out once."""
        self._texts: dict[int, _WrittenOut] = {}
        """What those became that were written out more than once."""
        self._inside: list[_WrittenOut] = []
        """Those of them that are being written out."""

    def whole(self) -> HoconValue:
        return self._written_out(self._root)

    def _hash(self, *layers: Fields, hides: bool = False) -> _Hash:
        """Give the one hash of these layers, so that what leads in a circle is seen to; a layer that comes again counts at the top."""
        once = tuple(reversed({id(layer): layer for layer in reversed(layers)}.values()))
        return self._hashes.setdefault((hides, *map(id, once)), _Hash(once, hides))

    def _beside(self, left: _Hash, right: _Hash) -> _Hash:
        return right if right.hides else self._hash(*left.layers, *right.layers, hides=left.hides)

    def _above(self, upper: _Hash | None, lower: Value) -> Value:
        if not upper:
            return lower
        if isinstance(lower, _Hash):
            return self._beside(lower, upper)
        return self._hash(*upper.layers, hides=True)

    def _merged_fields(self, nodes: Sequence[AstObject]) -> Fields:
        """Give the keys of hashes that are written out and merge without any substitution between them, lowest first."""
        known = tuple(map(id, nodes))
        if known not in self._fields:
            values = [list(fields_of(node)) for node in nodes]
            fields = self._fields[known] = {name: [] for each in reversed(values) for name, _ in each}
            for name, value in chain.from_iterable(values):
                fields[name].append(value)
        return self._fields[known]

    def _value(self, key: _Key) -> Value | None:
        """Give what `key` is, what a hash or list holds not evaluated yet; None where its substitutions lead nowhere."""
        if key.is_known:
            return key.known
        if key.under_way is not None:
            return self._so_far(key, key.under_way)
        depth, outer, self._lowest = len(self._under_way), self._lowest, _NO_CIRCLE
        self._under_way.append(key)
        key.counting.clear()
        try:
            value = self._merged(key)
        finally:
            self._under_way.pop()
            is_alone, self._lowest = self._lowest > depth, min(outer, self._lowest)
        if is_alone:
            key.known, key.is_known = value, True
        return value

    def _so_far(self, key: _Key, at: int) -> Value | None:
        """Give of a key that is under way what stands below the value in turn; what others make of it holds in this circle alone."""
        value = self._merged(key, at)
        if key is self._under_way[-1]:
            return value
        self._lowest = min(self._lowest, self._under_way.index(key))
        if value is None:
            _refuse_circle(key.written[at])
        return value

    def _merged(self, key: _Key, below: int | None = None) -> Value | None:
        """Merge the values of `key`, or those that stand `below` one of them in the same layer of its hash.

        None is evaluated that a scalar or a list above it hides.
        """
        before, merged = key.under_way, None
        at = len(key.written) if below is None else below
        floor = 0 if below is None else key.layers.index(key.layers[below])
        self._under_way.append(key)
        try:
            while at > floor:
                value: Value | None
                if isinstance(key.written[at - 1], Append):
                    at, value = self._appended(key, at)
                else:
                    at, end = self._start_of_hashes(key, at), at
                    key.under_way = at
                    value = self._evaluated(key.written[at:end], key)
                if value is None or _is_within_itself(value, key, at):
                    continue
                if below is None and isinstance(value, _Hash):
                    key.counting.add(key.layers[at])
                value = self._above(merged, value)
                if not isinstance(value, _Hash) or value.hides:
                    return value
                merged = value
        finally:
            key.under_way = before
            self._under_way.pop()
        return merged

    def _appended(self, key: _Key, end: int) -> tuple[int, Value]:
        """Give the list that all `+=` together make which end there, and where the first of them stands."""
        at, first = end, key.layers.index(key.layers[end - 1])
        items: list[tuple[Node, _Key]] = []
        while at > first and isinstance(node := key.written[at - 1], Append):
            items.append((node.item, key))
            at -= 1
        key.under_way = at
        below = self._merged(key, at)
        if below is not None and not isinstance(below, _List):
            raise _unlike(key.written[at])
        return at, _List([*(below.items if below else ()), *reversed(items)])

    def _start_of_hashes(self, key: _Key, end: int) -> int:
        """Give where the hashes begin that end there and are one: no substitution stands among or below them in their layer."""
        start, layer = end - 1, key.layers.index(key.layers[end - 1])
        if not all(node.kind in {"object", "scalar", "array"} for node in key.written[layer:end]):
            return start
        while start > layer and key.written[start].kind == key.written[start - 1].kind == "object":
            start -= 1
        return start

    def _evaluated(self, nodes: Sequence[Node], key: _Key) -> Value | None:
        """Give what one node, or some hashes that are one, are; of hashes and lists only that they are."""
        match nodes[0]:
            case AstObject():
                return self._hash(self._merged_fields([node for node in nodes if isinstance(node, AstObject)]))
            case AstScalar() as node:
                return HoconScalar(node.raw, node.value_type)
            case AstArray() as node:
                return _List([(item, key) for item in node.items])
            case AstSubst() as node:
                return self._led_to(node)
            case AstConcat() as node:
                return self._joined(node, key)
        raise AssertionError(nodes[0].kind)

    def _led_to(self, node: AstSubst) -> Value | None:
        name = ".".join(segment.text for segment in node.segments)
        if node.list_suffix:
            raise ResolveError(f"no path of a key: ${{{name}[]}}", name, node.pos.line, node.pos.col)
        self._place = node.pos
        self._count_some(1)
        value: Value | None = self._root
        try:
            for segment in node.segments:
                value = self._seen_from(node, value.key(segment.text)) if isinstance(value, _Hash) else None
        except _CircleError:
            if not node.optional:
                raise
            value = None
        if value is None and not node.optional:
            raise NowhereError(f"could not resolve substitution: ${{{name}}}", name, node.pos.line, node.pos.col)
        return value

    def _seen_from(self, node: AstSubst, key: _Key) -> Value | None:
        """Give what `key` is to `node`: what stands below the concatenation that it is part of, if it is written for `key`."""
        around = self._around_substitutions[id(node)]
        for at, written in enumerate(key.written):
            if any(written is each for each in around):
                return self._merged(key, at)
        return self._value(key)

    def _joined(self, node: AstConcat, key: _Key) -> Value | None:
        """Join what stands side by side: blanks count between scalars alone."""
        found = [(part, value) for part in parts(node) if (value := self._evaluated(part, key)) is not None]
        if len(found) == 1:
            return found[0][1]
        joined = [value for (part, *_), value in found if not is_blank(part)]
        hashes = [value for value in joined if isinstance(value, _Hash)]
        if hashes and len(hashes) == len(joined):
            return reduce(self._beside, hashes)
        if joined and all(isinstance(value, _List) for value in joined):
            return _List([item for value in joined if isinstance(value, _List) for item in value.items])
        scalars = [value.raw for _, value in found if isinstance(value, HoconScalar)]
        if len(scalars) < len(found):
            raise _unlike(node)
        return HoconScalar("".join(scalars), "string") if scalars else None

    def _count_some(self, count: int) -> None:
        self._count += count
        if self._count > MOST_VALUES:
            raise ResolveError(f"substitutions repeat more than {MOST_VALUES} values", "", self._place.line, self._place.col)

    def _written_out(self, value: Value) -> HoconValue:
        if isinstance(value, HoconScalar):
            self._count_some(1)
            return value
        if id(value) not in self._met:
            self._met.add(id(value))
            return self._freshly_written_out(value)
        known = self._texts.get(id(value))
        if known is None or any(known.has(*around) for around in self._around):
            known = _WrittenOut(value, self._count)
            self._inside.append(known)
            known.result = self._freshly_written_out(value)
            known.count = self._count - known.count
            self._inside.pop()
            if known.is_alone:
                self._texts[id(value)] = known
        else:
            self._count_some(known.count)
        for outer in self._inside[-1:]:
            outer.take(known)
        assert known.result is not None
        return known.result

    def _freshly_written_out(self, value: _Hash | _List) -> HoconValue:
        self._count_some(1)
        for inside in self._inside[-1:]:
            inside.ids.update([id(value)] if isinstance(value, _List) else map(id, value.layers))
        layers: set[int] = set()
        self._around.append((value, layers))
        try:
            if isinstance(value, _List):
                items = (self._within([node], self._evaluated([node], key)) for node, key in value.items)
                return HoconArray([item for item in items if item is not None])
            fields = {}
            for name in value.names():
                key = value.key(name)
                found = self._value(key)
                layers.clear()
                layers.update(key.counting)
                if (item := self._within(key.written, found)) is not None:
                    fields[name] = item
            return HoconObject(fields)
        finally:
            self._around.pop()

    def _within(self, written: Sequence[Node], value: Value | None) -> HoconValue | None:
        """Write out what `written` is; an optional substitution that leads to what is around it leads nowhere."""
        if value is None:
            return None
        self._place = written[-1].pos
        circles = [around for around in self._around if _is_around(value, *around)]
        if not circles:
            return self._written_out(value)
        for inside in self._inside:
            inside.is_alone = False
        is_sure = any(value is around or len(value.layers) == len(layers) for around, layers in circles if isinstance(value, _Hash))
        if len(written) == 1 and isinstance(written[0], AstSubst) and written[0].optional and (is_sure or isinstance(value, _List)):
            return None
        return _refuse_circle(written[-1])


def _is_around(value: Value, around: Value, layers: set[int]) -> bool:
    return value is around or (isinstance(value, _Hash) and layers.issuperset(map(id, value.layers)))


def _is_within_itself(value: Value, key: _Key, at: int) -> bool:
    """Whether an optional substitution leads to the very hash that it is written in, and so nowhere, whatever merges with that."""
    node, layer = key.written[at], key.layers[at]
    if not isinstance(value, _Hash) or [layer] != [id(each) for each in value.layers]:
        return False
    return isinstance(node, AstSubst) and node.optional and key.layers.count(layer) == 1


def _unlike(node: Node) -> ResolveError:
    return ResolveError("hashes, lists and text stand side by side", "", node.pos.line, node.pos.col)


def _refuse_circle(node: Node) -> NoReturn:
    raise _CircleError("a substitution leads in a circle", "", node.pos.line, node.pos.col)
