"""Variables and functions within strings."""

from __future__ import annotations

from typing import Any

import pytest

from runit_provision.errors import DataError, Mark
from runit_provision.hiera.formats.yaml_document import parse_yaml
from runit_provision.hiera.interpolation import Interpolation
from runit_provision.hiera.keys import Found
from runit_provision.hiera.scope import Scope
from runit_provision.hiera.values.secret import SecretText

_FACTS = {"role": "web", "os": {"family": "Debian"}, "list": ["a", 1.5], "nested": "<%{role}>", "nul": None}
_DATA = {"port": 80, "hash": {"x": 1}, "secret": SecretText("s3cret")}


def _interpolation() -> Interpolation:
    return Interpolation(
        Scope(_FACTS, node="n1.example.net", environment="production"), lambda key, _: Found(_DATA[key]) if key in _DATA else None
    )


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("%{role}-%{facts.os.family}", "web-Debian"),
        ("%{::role} %{ role }", "web web"),
        ("%{trusted.certname} %{trusted.domain} %{environment}", "n1.example.net example.net production"),
        ("%{list.1}", "1.5"),
        ("%{facts.os}", '{"family"=>"Debian"}'),
        ("%{nested}", "<web>"),
        ("%{nul}%{facts.nope.x}%{}%{::}", ""),
        ("100% %{role", "100% %{role"),
        ("%{literal('%')}{x}", "%{x}"),
        ("%{lookup('port')} %{hiera(\"port\")} %{lookup('nope')}", "80 80 "),
        ("%{alias('hash')}", {"x": 1}),
        ("%{scope('role')}", "web"),
    ],
)
def test_an_expression_gives_way_to_what_it_names(text: str, result: Any) -> None:
    assert _interpolation().text(text) == result


def test_keys_and_values_of_containers_are_interpolated_and_keep_their_places() -> None:
    data = _interpolation().value(parse_yaml("{'k-%{role}': ['%{role}', 1]}", "f"))
    assert data == {"k-web": ["web", 1]}
    assert data.marks == {"k-web": Mark("f", 1, 2)}


def test_text_with_a_secret_in_it_is_secret() -> None:
    assert type(_interpolation().text("<%{lookup('secret')}>")) is SecretText
    assert type(_interpolation().text("<%{lookup('port')}>")) is str


def test_functions_are_an_error_where_there_are_none() -> None:
    scope = Scope(_FACTS, node="n1", environment="production")
    with pytest.raises(DataError, match="functions cannot be used here"):
        Interpolation(scope, None).text("%{lookup('port')}")
