"""Secrets that Puppet writes into a data file."""

from __future__ import annotations

from runit_provision.app.rich_data import with_secrets
from runit_provision.errors import Mark
from runit_provision.model.data import Array, Sensitive, Table, locate

MARK = Mark("data.json", 3, 7)


def rich(value: object) -> Table:
    return Table([("__ptype", "Sensitive"), ("__pvalue", value)])


def test_a_secret_is_one_wherever_it_stands() -> None:
    data = Table([("env", Table([("PASSWORD", rich("hunter2"))], marks={"PASSWORD": MARK})), ("list", Array([rich(1), 2]))])
    read = with_secrets(data)
    assert read == Table([("env", Table([("PASSWORD", Sensitive("hunter2"))])), ("list", Array([Sensitive(1), 2]))])
    assert locate(read, ["env", "PASSWORD"]) == MARK


def test_what_only_looks_like_one_stays() -> None:
    data = Table([("__ptype", "Timestamp"), ("__pvalue", "2026-01-01")])
    assert with_secrets(data) == data
    assert with_secrets(Table([("__ptype", "Sensitive")])) == {"__ptype": "Sensitive"}
