"""What is written as YAML is read back as the same value, whoever reads it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runit_provision.hiera import yaml_text
from runit_provision.hiera.formats.yaml_document import parse_yaml

_TEXTS = st.text("0123456789_,.:-+eExXbonyNYTt~=<!#'\" %@{[\n\té", max_size=8).filter(lambda text: text != "<<")
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXTS


@given(st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3)))
def test_any_value_is_read_back_by_ours_and_by_pyyaml(value: Any) -> None:
    text = yaml_text(value)
    assert (parse_yaml(text, "x"), yaml.safe_load(text)) == (value, value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": [1, "1,000"], "a": {}}, "b:\n- 1\n- '1,000'\na: {}"),
        (
            ["08:30", ":name", "2020-01-01", "=", "yes", "foo", 1.5, None],
            "- '08:30'\n- ':name'\n- '2020-01-01'\n- '='\n- 'yes'\n- foo\n- 1.5\n- null",
        ),
        ("two words", "two words"),
        (None, "null"),
    ],
)
def test_what_only_puppet_takes_for_something_else_is_quoted(value: Any, text: str) -> None:
    assert yaml_text(value) == text
