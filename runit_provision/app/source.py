"""Where the data comes from: a hierarchy seen with a node's facts, or a file of data that is resolved already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runit_provision.app.layers import Layers
from runit_provision.errors import DataError, Mark, Problem, with_warnings
from runit_provision.inputs import Inputs
from runit_provision.model.data import Sensitive, Table

if TYPE_CHECKING:
    from runit_provision.hiera.hierarchy import Hierarchy
    from runit_provision.hiera.keys import Found

KEY = "runit"
_PREFIX = f"{KEY}::"
"""What Puppet's automatic binding puts before a parameter's name."""


@dataclass(frozen=True, slots=True)
class Source:
    """Exactly one of hiera_config (a hiera.yaml) and data (YAML or JSON) is given.

    facts_file: as facter prints them; facts: single ones that win over it, by dotted name; ask_facter: whether this machine's facter
    gives the facts when there is no file. node: the certificate name; "" for the facts' own (clientcert, fqdn), or else this machine's
    name. trusted: trusted facts by dotted name, beside those that the name gives. layers: what Puppet adds to the hierarchy of
    hiera.yaml. lenient: undefined variables are empty, as in Puppet 7.
    """

    hiera_config: Path | None = None
    data: Path | None = None
    facts_file: Path | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    ask_facter: bool = False
    node: str = ""
    trusted: Mapping[str, Any] = field(default_factory=dict)
    layers: Layers = field(default_factory=Layers)
    lenient: bool = False

    @property
    def folder(self) -> Path:
        """The folder that the data lie in: that of hiera.yaml, or of the file."""
        file = self.hiera_config or self.data
        assert file is not None
        return file.absolute().parent

    def hierarchy(self, inputs: Inputs | None = None) -> Hierarchy:
        """Open the hierarchy; DataError when hiera.yaml or the facts are wrong, or there is only a data file.

        inputs: is told of everything that is read.
        """
        from runit_provision import hiera
        from runit_provision.app.facts import gather, set_facts

        inputs = inputs or Inputs()
        if self.hiera_config is None:
            raise DataError(Problem("a data file has no hierarchy", Mark(str(self.data), 1, 1), hint="give --hiera-config"))
        facts = gather(self.facts_file, self.facts, inputs, ask_facter=self.ask_facter, legacy=self.lenient)
        node = self.node or _own_name(facts, inputs)
        # An agent adds its name to what facter says; levels named after it are as common as those after trusted.certname.
        facts.setdefault("clientcert", node)
        return hiera.open_hierarchy(
            self.hiera_config,
            facts=facts,
            node=node,
            trusted=set_facts(Table(), self.trusted),
            environment=self.layers.environment,
            environment_path=self.layers.environment_path(inputs),
            modulepath=self.layers.modules(inputs),
            strict=not self.lenient,
            inputs=inputs,
        )

    def given(self, *keys: str) -> Found | None:
        """Give what a data file holds at the first of `keys` that is there, as a dotted key digs; DataError when one digs amiss."""
        from runit_provision.hiera.keys import Found, dig, parse_key

        assert self.data is not None
        table = Found(_read_data(self.data, Inputs()), Mark(str(self.data), 1, 1))
        parsed = [parse_key(key) for key in keys]
        return next((found for key in parsed if (found := dig(table, (key.root, *key.segments), key.text))), None)

    def resolve(self, inputs: Inputs | None = None) -> Resolved:
        """Give the `runit` hash; DataError when anything that is asked for it is wrong, or nothing says what to provision."""
        inputs = inputs or Inputs()
        if self.data is not None:
            data = _read_data(self.data, inputs)
            return Resolved(_joined(data, self.data), data.warnings)
        assert self.hiera_config is not None
        hierarchy = self.hierarchy(inputs)
        with with_warnings(lambda: hierarchy.warnings):
            found = [(key, hierarchy.find(key, default_merge="deep")) for key in [KEY, *hierarchy.keys(_PREFIX)]]
            pairs = [(key, each.value, each.mark) for key, each in found if each is not None]
            table = Table([(key, value) for key, value, _ in pairs], marks={key: mark for key, _, mark in pairs if mark})
            return Resolved(_joined(table, self.hiera_config), tuple(hierarchy.warnings))


@dataclass(frozen=True, slots=True)
class Resolved:
    """data: the `runit` hash. warnings: what was odd in the hierarchy, but no error."""

    data: Table
    warnings: tuple[Problem, ...]


def _read_data(path: Path, inputs: Inputs) -> Table:
    from runit_provision.app.rich_data import with_secrets
    from runit_provision.hiera import read_yaml

    data = with_secrets(read_yaml(path, inputs, show_tags=True))
    if not isinstance(data, Table):
        raise DataError(Problem("not a hash", Mark(str(path), 1, 1), hint=f"its top is the key `{KEY}:`"))
    return data


def _joined(table: Table, file: Path) -> Table:
    """Join `runit` and the keys of automatic binding's names (`runit::users`) into one hash.

    One of them has to be there: a host is not to be emptied because a file was.
    """
    base = table.get(KEY)
    bound = {name: name.removeprefix(_PREFIX) for name in table if isinstance(name, str) and name.startswith(_PREFIX)}
    if base is None and not bound:
        hint = f"the data's top key is `{KEY}:`, or its keys begin with `{_PREFIX}`"
        raise DataError(Problem("nothing says what to provision", Mark(str(file), 1, 1), key=KEY, hint=hint))
    if isinstance(base, Sensitive):
        hint = "names and commands are shown to others: let only values of `env`, and contents of files, be secrets"
        raise DataError(Problem("has to be a hash, not a secret", table.marks.get(KEY), key=KEY, hint=hint))
    if base is not None and not isinstance(base, Table):
        raise DataError(Problem("has to be a hash", table.marks.get(KEY), key=KEY))
    joined = Table(base.items(), marks=dict(base.marks), mark=base.mark) if base is not None else Table()
    if twice := [full for full, name in bound.items() if name in joined]:
        message, hint = f"given below `{KEY}` too", "keep one of both"
        raise DataError(*(Problem(message, table.marks.get(full), key=full, hint=hint) for full in twice))
    for full, name in bound.items():
        joined[name] = table[full]
        if full in table.marks:
            joined.marks[name] = table.marks[full]
    return joined


def _own_name(facts: Mapping[str, Any], inputs: Inputs) -> str:
    networking = facts.get("networking")
    names = (facts.get("clientcert"), facts.get("fqdn"), networking.get("fqdn") if isinstance(networking, Mapping) else None)
    return next((name for name in names if isinstance(name, str) and name), None) or inputs.machine_name()
