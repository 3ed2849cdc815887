"""A template that does not render says where and why."""

from __future__ import annotations

import pytest

from runit_provision.errors import DataError
from runit_provision.render.pages import Pages


def refusal(templates: dict[str, str], name: str) -> str:
    with pytest.raises(DataError) as caught:
        Pages(templates).page(name, known="here")
    return str(caught.value)


def test_a_missing_variable_is_named_with_template_and_line() -> None:
    assert refusal({"run": "#!/bin/sh\n\nexec {{ known }} {{ programme }}\n"}, "run") == (
        "run:3:1: the template does not render: 'programme' is undefined"
    )


def test_in_an_included_template_its_own_line_is_told() -> None:
    assert refusal({"run": "{% include 'part' %}\n", "part": "\n{{ nothing }}\n"}, "run") == (
        "part:2:1: the template does not render: 'nothing' is undefined"
    )


def test_a_syntax_error_is_told_with_its_line() -> None:
    assert refusal({"run": "\n{% if %}\n"}, "run").startswith("run:2:1: the template cannot be read: ")


def test_a_missing_template_is_named() -> None:
    assert refusal({}, "run") == "there is no template 'run'"
    assert refusal({"run": "\n{% include 'part' %}\n"}, "run") == "run:2:1: there is no template 'part'"


def test_the_filter_sh_makes_one_word_of_anything() -> None:
    assert Pages({"run": "echo {{ value|sh }}\n"}).page("run", value="it's $5") == b'echo "it\'s \\$5"\n'
