"""The lookup itself: layers in their order, lookup_options, conversion, defaults.

    global (hiera.yaml)  ->  environment (its hiera.yaml)  ->  the module that the key names  ->  the module's default_hierarchy

Source: Puppet's documentation, "Lookup", and `puppet lookup` where that is silent.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runit_provision.errors import DataError, Problem
from runit_provision.hiera.config.levels import read_config
from runit_provision.hiera.config.module import left_out
from runit_provision.hiera.config.place import Place
from runit_provision.hiera.documents import Documents
from runit_provision.hiera.explain import Hides, Outline, Trace
from runit_provision.hiera.interpolation import Interpolation
from runit_provision.hiera.keys import LOOKUP_OPTIONS, Found, Key, dig, parse_key
from runit_provision.hiera.layer import Layer
from runit_provision.hiera.merging import HASH, Strategy, strategy
from runit_provision.hiera.options import NO_OPTIONS, Entry, LookupOptions, checked, compiled
from runit_provision.hiera.scope import Scope
from runit_provision.hiera.values.secret import cleared, holds_secret, sealed
from runit_provision.hiera.values.ways import dotted
from runit_provision.model.data import locate

_NOTHING = object()
_FRAMES = 15_000
"""Calls in each other that Python allows within a lookup; they live on the heap, not on the processor's stack."""
# What a module may be called; Puppet takes no other folder for one.
_MODULE = re.compile(r"[a-z][a-z0-9_]*")
_PLACES = tuple(Place)
_OPTIONS_KEY = Key(LOOKUP_OPTIONS, LOOKUP_OPTIONS, ())


class Hierarchy:
    """A hierarchy for one node. Files are read once; values that it gives are shared and must not be changed."""

    def __init__(
        self,
        config: Path,
        scope: Scope,
        *,
        environment: Path | None = None,
        modulepath: Sequence[Path] = (),
        documents: Documents,
    ) -> None:
        self._config = config
        self._scope = scope
        self._modulepath = modulepath
        self._environment = environment
        self._documents = documents
        self._inputs = documents.inputs
        self._layers = [Layer("Global", read_config(config, self._inputs), scope, self._documents)]
        if environment and self._inputs.exists(str(environment / "hiera.yaml")):
            environments = read_config(environment / "hiera.yaml", self._inputs, Place.ENVIRONMENT)
            self._layers.append(Layer("Environment", environments, scope, self._documents))
        self._modules: dict[str, Layer | None] = {}
        self._options: dict[str | None, LookupOptions] = {}

    def lookup(
        self, *keys: str, merge: object = None, default_merge: object = None, value_type: str | None = None, default: Any = _NOTHING
    ) -> Any:
        """Give the value of the first of `keys` that is found, with Sensitive around what is secret.

        merge: a strategy's name or a hash with its options, before what lookup_options say; default_merge: if they say nothing.
        value_type: the Puppet type that the value must have. default: what is given when nothing is found.
        Raises DataError when something is wrong, or nothing is found and there is no default.
        """
        key, found = self._first_found(keys, merge=merge, default_merge=default_merge)
        if found is None and default is _NOTHING:
            if all(map(_is_options, keys)):
                hint = f"`lookup --explain` of another key shows what {LOOKUP_OPTIONS} say"
                raise DataError(Problem("cannot be looked up", path=str(self._config), key=", ".join(keys), hint=hint))
            hint = "`lookup --explain` shows every level that was asked"
            named = ", ".join(key or "''" for key in keys)
            raise DataError(Problem("not found in any level", path=str(self._config), key=named, hint=hint))
        return self._demanded(Found(default) if found is None else found, value_type, key)

    def find(self, *keys: str, merge: object = None, default_merge: object = None) -> Found | None:
        """Give what was found for the first of `keys` that is found, and where it was written, or None; otherwise as `lookup`."""
        _, found = self._first_found(keys, merge=merge, default_merge=default_merge)
        return found and Found(self._sealed(found.value), found.mark)

    def explain(
        self,
        *keys: str,
        merge: object = None,
        default_merge: object = None,
        value_type: str | None = None,
        default: Any = _NOTHING,
        show_secrets: bool = False,
    ) -> str:
        """Give an outline of the whole search for `keys`: levels, files, merges, conversions, and the error if it ends in one."""
        outline = Outline(show_secrets=show_secrets)
        interpolation = Interpolation(self._scope, self._looked_up, outline)
        self._options.clear()  # so that the search for lookup_options is shown
        try:
            with _DeepStack():
                key, found = self._outlined(keys, interpolation, outline, merge=merge, default_merge=default_merge)
            if found is None and default is not _NOTHING:
                found = Found(default)
                outline.note("Using the default:", outline.shown(default))
            if found is not None and value_type is not None:
                outline.note("Type that is demanded:", value_type)
                self._demanded(found, value_type, key)
        except DataError as error:
            for problem in error.problems:
                outline.note("Error:", problem)
        return outline.text()

    def _outlined(
        self, keys: Sequence[str], interpolation: Interpolation, outline: Outline, *, merge: object, default_merge: object
    ) -> tuple[str, Found | None]:
        for key in keys:
            found = self._find(key, interpolation, merge=merge, default_merge=default_merge)
            if found is not None:
                outline.note("Result:", outline.shown(found.value))
                return key, found
        outline.note("Result: nothing was found for", ", ".join(keys))
        return ", ".join(keys), None

    def keys(self, prefix: str = "") -> list[str]:
        """Give the keys that start with `prefix` in any file of the layers, in the order of their first appearance."""
        module = parse_key(prefix).module if prefix else None
        layers = [*self._layers, *filter(None, [self._module(module)] if module else [])]
        with _DeepStack():
            names = [key for layer in layers for document in layer.documents() for key in document.table if isinstance(key, str)]
        return [name for name in dict.fromkeys(names) if name.startswith(prefix) and name != LOOKUP_OPTIONS]

    def for_node(self, node: str, facts: Mapping[str, Any], *, trusted: Mapping[str, Any] | None = None) -> Hierarchy:
        """Give the hierarchy as another node, with trusted facts of its own, sees it; files that were read are not read again."""
        scope = Scope(facts, node=node, environment=str(self._scope.get("environment")), trusted=trusted, strict=self._scope.strict)
        return Hierarchy(self._config, scope, environment=self._environment, modulepath=self._modulepath, documents=self._documents)

    @property
    def warnings(self) -> list[Problem]:
        """What was odd so far, but no error."""
        options = [problem for known in self._options.values() for problem in known.warnings]
        return [*dict.fromkeys([*self._documents.warnings, *self._scope.warnings, *options])]

    def _first_found(self, keys: Sequence[str], *, merge: object, default_merge: object) -> tuple[str, Found | None]:
        """Give the first of `keys` that is found and what it has, or all of them and None."""
        interpolation = Interpolation(self._scope, self._looked_up)
        with _DeepStack():
            for key in keys:
                found = self._find(key, interpolation, merge=merge, default_merge=default_merge)
                if found is not None:
                    return key, found
        return ", ".join(keys), None

    def _demanded(self, found: Found, value_type: str | None, key: str) -> Any:
        """Give what was found for `key` as it leaves; DataError when it is not of the type that is demanded."""
        given = self._sealed(found.value)
        if value_type is not None:
            hint = "the default is a String" if found.mark is None and isinstance(found.value, str) else ""
            _check(value_type, found, given, key, hint)
        return given

    def _sealed(self, value: Any) -> Any:
        """The value as it leaves; where no level is encrypted there is nothing to seal."""
        return sealed(value) if any(layer.encrypted for layer in [*self._layers, *filter(None, self._modules.values())]) else value

    def _looked_up(self, key: str, interpolation: Interpolation) -> Found | None:
        return self._find(key, interpolation)

    def _find(self, text: str, interpolation: Interpolation, *, merge: object = None, default_merge: object = None) -> Found | None:
        trace = interpolation.trace
        if _is_options(text):
            trace.note(f"`{LOOKUP_OPTIONS}` cannot be looked up")
            return None
        key = parse_key(text)
        if isinstance(key.root, int):
            raise DataError(Problem("a key begins with a name, not with an index", key=text, hint="quote it: \"'1'.a\""))
        entry = self._entry(key, interpolation)
        outer, interpolation.secret = interpolation.secret, interpolation.secret or entry.secret
        try:
            with trace.step("Searching for", f'"{text}"', hides=Hides.VALUES if interpolation.secret else Hides.NOTHING):
                if entry.written is not None:
                    trace.note(LOOKUP_OPTIONS, entry)
                    if merge is not None and entry.merge is not None:
                        trace.note("The caller's merge strategy takes the place of that in lookup_options")
                chosen = next((said for said in (merge, entry.merge, default_merge) if said is not None), None)
                found = self._searched(key, strategy(chosen, entry.merge_mark, text), interpolation)
                return found if found is None or entry.convert_to is None else self._converted(found, entry, text, trace)
        finally:
            interpolation.secret = outer

    def _searched(self, key: Key, chosen: Strategy, interpolation: Interpolation) -> Found | None:
        found = chosen.search(_PLACES, lambda place: self._ask(place, key, chosen, interpolation), interpolation.trace)
        found = found and dig(found, key.segments, key.text, interpolation.trace)
        return found if found is not None else self._module_default(key, interpolation)

    def _ask(self, place: Place, key: Key, chosen: Strategy, interpolation: Interpolation, module: str | None = None) -> Found | None:
        layer: Layer | None
        match place:
            case Place.GLOBAL:
                layer = self._layers[0]
            case Place.ENVIRONMENT:
                layer = self._layers[1] if len(self._layers) > 1 else None
                if layer is None and self._environment:
                    interpolation.trace.note("Environment layer: no hiera.yaml in", self._environment)
            case Place.MODULE:
                name = module or key.module
                layer = self._module(name) if name else None
                if layer is None and name:
                    interpolation.trace.note("Module", name, "layer: no module of that name with a hiera.yaml in", *self._modulepath)
        return layer.search(key, chosen, interpolation) if layer else None

    def _module(self, name: str) -> Layer | None:
        if name not in self._modules:
            folders = (folder / name for folder in self._modulepath if _MODULE.fullmatch(name))
            # The first folder of the name is the module, also when another one further on has data.
            module = next((folder for folder in folders if self._inputs.is_folder(str(folder))), None)
            path = module and module / "hiera.yaml"
            has_data = bool(path) and self._inputs.exists(str(path))
            problem = left_out(module, self._inputs, strict=self._scope.strict) if module and has_data else None
            if problem:
                self._documents.warnings.append(problem)
            config = read_config(path, self._inputs, Place.MODULE) if path and has_data and not problem else None
            self._modules[name] = Layer(f'Module "{name}"', config, self._scope, self._documents, module=name) if config else None
        return self._modules[name]

    def _module_default(self, key: Key, interpolation: Interpolation) -> Found | None:
        layer = self._module(key.module) if key.module else None
        if layer is None or not layer.has_defaults:
            return None
        with interpolation.trace.step("Searching the default_hierarchy of", layer.name):
            quiet = interpolation.aside()
            entry = compiled(checked(layer.search(_OPTIONS_KEY, HASH, quiet, defaults=True), key.module)).of(key)
            if entry.written is not None:
                interpolation.trace.note(LOOKUP_OPTIONS, entry)
            chosen = strategy(entry.merge, entry.merge_mark, key.text)
            found = layer.search(key, chosen, interpolation, defaults=True)
        return found and dig(found, key.segments, key.text, interpolation.trace)

    def _entry(self, key: Key, interpolation: Interpolation) -> Entry:
        """What lookup_options say about `key`; they are gathered once for each module."""
        if key.module not in self._options:
            self._options[key.module] = NO_OPTIONS  # for the keys that the options themselves look up, as in Puppet
            try:
                with interpolation.trace.step("Searching for", f'"{LOOKUP_OPTIONS}"'):
                    gathered = self._gathered(key.module, interpolation)
            finally:
                del self._options[key.module]
            self._options[key.module] = gathered
        return self._options[key.module].of(key)

    def _gathered(self, module: str | None, outer: Interpolation) -> LookupOptions:
        interpolation = Interpolation(self._scope, self._looked_up, outer.trace)
        merged: Found | None = None
        for place in _PLACES:
            found = self._ask(place, _OPTIONS_KEY, HASH, interpolation, module)
            options = checked(found, module if place is Place.MODULE else None)
            if options is not None and found is not None:
                merged = Found(HASH.merged(merged.value, options, found.mark) if merged else options, found.mark)
        return compiled(merged.value if merged else None)

    def _converted(self, found: Found, entry: Entry, key: str, trace: Trace) -> Found:
        from runit_provision.hiera.types.convert import convert

        assert entry.convert_to is not None
        value = convert(found.value, entry.convert_to, entry.convert_mark, key, found.mark)
        trace.converted(next(iter(entry.convert_to), ""), value, entry.convert_mark)
        return Found(value, found.mark)


def _is_options(key: str) -> bool:
    return key == LOOKUP_OPTIONS or key.startswith(LOOKUP_OPTIONS + ".")


class _DeepStack:
    """Within this, lookups may lead to each other as far as `interpolation` allows it, and HOCON's substitutions as far."""

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before = sys.getrecursionlimit()
        sys.setrecursionlimit(max(self._before, _FRAMES))

    def __exit__(self, *_: object) -> None:
        sys.setrecursionlimit(self._before)


def _check(value_type: str, found: Found, given: Any, key: str, hint: str) -> None:
    """Raise DataError when a value, which leaves as `given`, is not of the type."""
    from runit_provision.hiera.types.expressions import parse_type
    from runit_provision.hiera.types.misfit import first_misfit

    wanted = parse_type(value_type)
    misfit = first_misfit(wanted, cleared(found.value), is_secret=holds_secret(found.value))
    if misfit is None or wanted.holds(given):
        return
    place = (locate(given, misfit.path) if misfit.path else None) or found.mark
    raise DataError(Problem(f"{misfit.what}, and no {misfit.wanted}", place, key=dotted(key, misfit.path), hint=hint))
