"""Model -> rendered tree. Pure: same data, same bytes. jinja2 is imported at the first call, not before."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runit_provision.model.host import Host
    from runit_provision.model.tree import RenderedTree


def expand(templates: Mapping[str, str], name: str, values: Mapping[str, Any]) -> str:
    """Give the text of a template of one's own, which may do nothing but give text. Raises DataError as `render` does."""
    from runit_provision.render.pages import Pages

    return Pages(templates, sandbox=True).page(name, **values).decode()


def outline(host: Host, accounts: Container[str]) -> RenderedTree:
    """Give the directories alone that the trees of `host` lie in, of those that belong to one of `accounts`."""
    from runit_provision.render.tree import outline

    return outline(host, accounts)


def render(host: Host, templates: Mapping[str, str]) -> RenderedTree:
    """Give the tree that `host` means on disk.

    templates: name -> text of each template (`run.sh.j2` and its like). Raises DataError with template, line and variable when
    one is missing, malformed, or asks for what it is not given.
    """
    from runit_provision.render.tree import render_tree

    return render_tree(host, templates)
