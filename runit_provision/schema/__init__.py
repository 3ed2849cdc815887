"""Looked-up data -> model, with every problem at once; JSON Schema of the data. pydantic is imported at the first call, not before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runit_provision.errors import Problem
    from runit_provision.model.account import Account
    from runit_provision.model.host import Host
    from runit_provision.schema.materials import Materials


def read_host(
    data: Any,
    accounts: Mapping[str, Account],
    *,
    shell: Callable[[str], str] | None = None,
    materials: Materials | None = None,
    groups: Callable[[str], int | None] | None = None,
    more: Callable[[Host], Iterable[Problem]] | None = None,
    strange: Callable[[Problem], None] | None = None,
    where: str = "on this host",
) -> Host:
    """Give the desired state that the `runit` hash `data` means on a host that has `accounts` (by login name).

    data: a Table as hiera gives it. shell: says what is wrong with the syntax of a script, "" for nothing; None asks nobody.
    materials: finds templates and files that the data name. groups: gives the number of a group, None for one that is not there.
    more: says, when something is wrong, what else is, with what could be read. strange: is told of each account and group that is
    not there, which then is no problem. where: whose accounts they are, for who is told that there is none.
    Raises DataError with every problem.
    """
    from runit_provision.schema.reading import read

    return read(data, accounts, shell, materials, groups, more, strange, where)


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema (2020-12) of a file that holds the data under the key `runit`."""
    from runit_provision.schema.export import export

    return export()


def reference() -> str:
    """Give the page that tells people of every key, in Markdown."""
    from runit_provision.schema.reference import page

    return page(json_schema())
