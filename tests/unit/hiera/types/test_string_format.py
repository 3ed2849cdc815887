"""String.new's formats; that Puppet writes the same is tests/conformance/hiera's."""

from __future__ import annotations

from typing import Any

import pytest

from runit_provision.hiera.types.sprintf import FormatError
from runit_provision.hiera.types.string_format import string_of
from runit_provision.model.data import Sensitive


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (255, "%x", "ff"),
        (255, "%#X", "0XFF"),
        (-255, "%x", "..f01"),
        (-255, "%+x", "-ff"),
        (7, "%05d", "00007"),
        (7, "%-5d|\n%-5d", None),
        (65, "%c", "A"),
        (5, "%#s", '"5"'),
        (1.5, None, "1.500000"),
        (1.5, "%p", "1.5"),
        (1.5, "%a", "0x1.8p+0"),
        (1e-5, "%.2e", "1.00e-05"),
        (2.9, "%d", "2"),
        (float("nan"), "%d", "NaN"),
        (float("inf"), "%d", None),
        (True, "%#Y", "Y"),
        (False, "%d", "0"),
        (None, "%p", "undef"),
        (None, "%x", "NaN"),
        ("fOO::bar", "%C", "Foo::Bar"),
        ("it's", "%p", "'it\\'s'"),
        ("a\n$", "%p", '"a\\n\\$"'),
        ("word", "%-6.3s|", None),
        ("word", "%6.3s", "   wor"),
        ("word", "%x", None),
        ([1, [2, "a"]], "%#a", "[1,\n  [2, 'a']]"),
        ([1, "a"], "%(a", "(1, 'a')"),
        ([1, "a"], "% a", "1, 'a'"),
        ([1, 2], "%h", None),
        ({"a": 1}, "%#h", "{\n  'a' => 1\n}"),
        ({"a": [1]}, "%a", "[['a', [1]]]"),
        ([Sensitive("x")], "%s", "[#<Sensitive [value redacted]>]"),
        (5, "%100001d", None),
        (5, "%dd%", None),
    ],
)
def test_a_format_says_how_a_value_is_written(value: Any, form: str | None, text: str | None) -> None:
    if text is not None:
        assert string_of(value, form) == text
        return
    with pytest.raises(FormatError):
        string_of(value, form)
