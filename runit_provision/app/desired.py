"""What the data means on disk: looked up, read into types, rendered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources

from runit_provision.app.materials import Found
from runit_provision.app.source import Source
from runit_provision.errors import DataError, Problem, with_warnings
from runit_provision.inputs import Inputs
from runit_provision.model.account import Account
from runit_provision.model.host import Host
from runit_provision.model.tree import RenderedTree


@dataclass(frozen=True, slots=True)
class Desired:
    """host: the data in types. tree: what it means on disk. warnings: what was odd, but no error."""

    host: Host
    tree: RenderedTree
    warnings: tuple[Problem, ...]


More = Callable[[Host], Iterable[Problem]]


def desire(source: Source, accounts: Mapping[str, Account], inputs: Inputs | None = None, more: More | None = None) -> Desired:
    """Go the pure part of the road; DataError with every problem of the data. inputs: is told of everything that is read.

    more: says, when something is wrong, what else is.
    """
    from runit_provision.host import shell
    from runit_provision.render import render
    from runit_provision.render.lint import lint
    from runit_provision.schema import read_host

    inputs = inputs or Inputs()
    inputs.ourselves()
    resolved = source.resolve(inputs)
    found = Found(source.folder, templates(), inputs)
    with with_warnings(lambda: resolved.warnings):
        host = read_host(resolved.data, accounts, shell=partial(shell.complaint, inputs=inputs), materials=found, more=more)
    try:
        tree = render(host, found.templates(host.template_path))
    except DataError as error:
        placed = (found.placed(problem, host.template_path) for problem in error.problems)
        raise DataError(*placed, *(more(host) if more else ())) from error
    return Desired(host, tree, (*resolved.warnings, *lint(host)))


@cache
def templates() -> dict[str, str]:
    """Give the text of every template that the package ships, by its name."""
    folder = resources.files("runit_provision") / "share/templates"
    return {item.name: item.read_text(encoding="utf-8") for item in folder.iterdir() if item.name.endswith(".j2")}
