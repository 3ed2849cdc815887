"""What the data means on disk: looked up, read into types, rendered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources

from runit_provision.app.materials import Found
from runit_provision.app.memory import bounded
from runit_provision.app.source import Source
from runit_provision.errors import DataError, Problem, with_warnings
from runit_provision.inputs import Inputs
from runit_provision.model.account import Account
from runit_provision.model.host import Host
from runit_provision.model.tree import File, RenderedTree


@dataclass(frozen=True, slots=True)
class Desired:
    """host: the data in types. tree: what it means on disk. warnings: what was odd, but no error."""

    host: Host
    tree: RenderedTree
    warnings: tuple[Problem, ...]


More = Callable[[Host], Iterable[Problem]]


def desire(
    source: Source, accounts: Mapping[str, Account], inputs: Inputs | None = None, more: More | None = None, *, strangers: bool = False
) -> Desired:
    """Go the pure part of the road; DataError with every problem of the data. inputs: is told of everything that is read.

    more: says, when something is wrong, what else is. strangers: an account or group that is not there is a warning, and taken for one
    that will be: of its own name, with its home in /home.
    """
    from runit_provision.host import shell
    from runit_provision.host.accounts import Accounts
    from runit_provision.render import render
    from runit_provision.render.lint import lint
    from runit_provision.schema import read_host

    inputs = inputs or Inputs()
    inputs.ourselves()
    resolved = source.resolve(inputs)
    found = Found(source.folder, templates(), inputs)
    complaint = partial(shell.complaint, inputs=inputs)
    groups, where = (accounts.number, accounts.where) if isinstance(accounts, Accounts) else (None, Accounts.where)
    strange: dict[Problem, None] = {}
    told = strange.setdefault if strangers else None
    with with_warnings(lambda: (*resolved.warnings, *strange)):
        host = read_host(resolved.data, accounts, shell=complaint, materials=found, groups=groups, more=more, strange=told, where=where)
    pages = found.templates(host.template_path)
    try:
        with bounded(sum(1 for _ in host.services())):
            tree = render(host, pages)
    except DataError as error:
        placed = (found.placed(problem, host.template_path) for problem in error.problems)
        raise DataError(*placed, *(more(host) if more else ())) from error
    if pages.replaced:
        with_own = (f"with {', '.join(pages.replaced)} of your own", complaint)
        if problems := tuple(_broken(tree, *with_own)):
            raise DataError(*problems, *(more(host) if more else ()))
    return Desired(host, tree, (*resolved.warnings, *strange, *host.warnings, *lint(host)))


def _broken(tree: RenderedTree, whose: str, complaint: Callable[[str], str]) -> Iterator[Problem]:
    """Give a problem for each script that could not run; the data's own were looked at before they stood in a template."""
    known: set[bytes] = set()
    for node in tree:
        if not isinstance(node.entry, File) or not node.entry.mode & 0o100 or node.entry.content in known:
            continue
        known.add(node.entry.content)
        text = node.entry.content.decode(errors="surrogateescape")
        said = complaint(text) if text.startswith("#!") else "it has no shebang"
        if said:
            name = node.path.rpartition("/")[2]
            yield Problem(f"its `{name}`, {whose}, would not run: {said}", mark=node.origin.mark, key=node.origin.key)


@cache
def templates() -> dict[str, str]:
    """Give the text of every template that the package ships, by its name."""
    folder = resources.files("runit_provision") / "share/templates"
    return {item.name: item.read_text(encoding="utf-8") for item in folder.iterdir() if item.name.endswith(".j2")}
