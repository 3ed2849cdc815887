"""Accounts, and the short way from data to a rendered tree."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from runit_provision import render, schema
from runit_provision.app.desired import templates
from runit_provision.app.materials import Found
from runit_provision.app.source import Source
from runit_provision.inputs import Inputs
from runit_provision.model.account import Account
from runit_provision.model.data import Array, Table
from runit_provision.model.host import Host
from runit_provision.model.tree import RenderedTree

ACCOUNTS = {
    "root": Account("root", 0, 0, "root", "/root", "/bin/bash"),
    "apprun1": Account("apprun1", 1001, 1001, "apprun1", "/home/apprun1", "/bin/bash"),
    "apprun2": Account("apprun2", 1002, 1002, "apprun2", "/home/apprun2"),
    "app": Account("app", 999, 999, "app", "/srv/app", "/usr/sbin/nologin"),
    "logger": Account("logger", 998, 998, "adm", "/nonexistent", "/usr/sbin/nologin"),
    "joeuser": Account("joeuser", 1003, 1003, "joeuser", "/home/joeuser", "/bin/bash"),
    "kburdis": Account("kburdis", 1004, 1004, "kburdis", "/home/kburdis", "/bin/bash"),
    "peter": Account("peter", 1005, 1005, "peter", "/home/peter", "/bin/bash"),
    "postgres": Account("postgres", 997, 997, "postgres", "/var/lib/postgresql", "/bin/bash"),
    "nobody": Account("nobody", 65534, 65534, "nogroup", "/nonexistent", "/usr/sbin/nologin"),
}


def examples() -> Path:
    """Give the folder of the shipped examples."""
    return Path(str(resources.files("runit_provision") / "share" / "hiera-examples"))


def example(facts: str) -> Source:
    """Give the examples as the node of `facts` sees them."""
    return Source(hiera_config=examples() / "hiera.yaml", facts_file=examples() / "facts" / f"{facts}.yaml")


def host_of(data: dict[str, Any]) -> Host:
    """Read data that was written as Python."""
    return schema.read_host(table_of(data), ACCOUNTS)


def tree_of(data: dict[str, Any]) -> RenderedTree:
    """Read and render data that was written as Python."""
    return render.render(host_of(data), templates())


def tree_of_source(source: Source) -> RenderedTree:
    """Read and render the data of a file or a hierarchy."""
    found = Found(source.folder, templates(), Inputs())
    host = schema.read_host(source.resolve().data, ACCOUNTS, materials=found)
    return render.render(host, found.templates(host.template_path))


def content(tree: RenderedTree, path: str) -> str:
    """Give what stands in the file `path`."""
    entry = next(node.entry for node in tree if node.path == path)
    text = getattr(entry, "content", None)
    assert isinstance(text, bytes), f"{path} is no file: {entry}"
    return text.decode()


def table_of(value: Any) -> Any:
    """Give data that were written as Python as hiera would, without marks."""
    if isinstance(value, dict):
        return Table((key, table_of(item)) for key, item in value.items())
    return Array(table_of(item) for item in value) if isinstance(value, list) else value
