"""Values, and the types that lookup_options turn them into."""

from __future__ import annotations

from conformance.hiera.case import Case
from hypothesis import strategies as st

TYPES = (
    *(
        "Sensitive",
        "String",
        "Integer",
        "Float",
        "Numeric",
        "Boolean",
        "Array",
        "Hash",
        "Any",
        "Undef",
        "Scalar",
        "Data",
        "Tuple",
        "Struct",
    ),
    *(
        "Array[Integer]",
        "Array[String, 1, 2]",
        "Array[0, 2]",
        "Hash[String, Integer]",
        "Hash[String[1], Data, 1]",
        "Integer[1, 10]",
        "Integer[default, 5]",
    ),
    *(
        "Optional[Integer]",
        "Optional",
        "NotUndef[String]",
        "Variant[Integer, Array]",
        "Enum['a', 'foo']",
        "Enum[a, FOO, true]",
        "Pattern[/^f/, /o$/]",
    ),
    *(
        "Tuple[Integer, String]",
        "Tuple[Integer, 1, 3]",
        "Struct[{x => Integer}]",
        "Struct[{Optional[x] => Integer, 'y' => Optional[String]}]",
    ),
    *(
        "Sensitive[String]",
        "String[2]",
        "String[1, 3]",
        "Float[0.0, 2.5]",
        "Boolean[true]",
        "Collection[1]",
        "ScalarData",
        "RichData",
        "Variant[]",
        "Iterable",
        "Iterable[Integer]",
        "Iterable[String]",
        "Iterable[Data]",
        "Optional[Sensitive]",
        "NotUndef[Sensitive[Data]]",
        "Enum",
        "INTEGER[0x1, 010]",
        "Array[String, Integer[1, 2]]",
        "Array[2]",
        "Hash[1]",
        "String['a']",
        "Collection[Integer[0, 1]]",
        "integer",
        "Nosuch",
        "Array[",
    ),
)
_CONVERTED = (
    *(
        "'12'",
        "'012'",
        "'0x1F'",
        "'0b11'",
        "' 5'",
        "'- 5'",
        "'+5'",
        "'+ 0b101'",
        "'0b11'",
        "'- 0'",
        '"-\\n1"',
        "'1e400'",
        "'0e1'",
        "'1.5'",
        "'1e3'",
        "'1.5e-3'",
        "'09'",
        "'abc'",
        "'yes'",
        "'N'",
        "'TRUE'",
        "'t'",
        "''",
    ),
    *(
        "12",
        "-3",
        "1.5",
        "-2.9",
        "0",
        "true",
        "false",
        "~",
        "[]",
        "[1, 2]",
        "[a, 1, b, 2]",
        "[[a, 1], [b, 2]]",
        "[[a, 1], [b]]",
        "[1, [a, ~], {x: y}]",
    ),
    *(
        "{}",
        "{x: 1}",
        '{x: [1, 2.5, \'a b\', "it\'s", "a\\tb$"]}',
        "{from: '5'}",
        "{from: '11', radix: 2}",
        "{from: -1.5, abs: true}",
        "foo",
        "'a\\'",
        ".inf",
    ),
    *(
        "[[[a, b], 1], [[a, c], 2], [[d], [x, y]], [[d, 3], z]]",
        "[[[], {x: 1}], [[x], 2], [[y, 0], 3]]",
        "[[[], [p, q]], [[1], r], [[a], [1, [2]]], [[a, 1, 0], 3], [[a, -1], 4]]",
        "[[[a], 1], [[a, b], 2]]",
        "[[[1], 2], [[1.0], 3]]",
        "[[[1], 2], [[0x1], 3], [['1'], 4]]",
    ),
)
_ARGUMENTS = (*[""] * 9, ", true", ", false", ", 2", ", 8", ", 10, true", ", 16", ", 3", ", default", ", tree", ", tree", ", hash_tree")


@st.composite
def conversions(draw: st.DrawFn) -> Case:
    """Values and the types that lookup_options turn them into."""
    data, options = [], []
    for key in ("a", "b", "c"):
        data.append(f"{key}: {draw(st.sampled_from(_CONVERTED))}")
        wanted = f'"{draw(st.sampled_from(TYPES))}"'
        options.append(f"{key}: {{convert_to: {f'[{wanted}{draw(st.sampled_from(_ARGUMENTS))}]' if draw(st.booleans()) else wanted}}}")
    text = "\n".join([*data, f"lookup_options: {{{', '.join(options)}}}", "d: 'x%{lookup(\"a\")}'", "e: \"%{alias('b')}\"", ""])
    keys = ("a", "b", "c", "d", "e", "a.x", "b.0")
    return Case({"hiera.yaml": "version: 5\n", "data/common.yaml": text}, tuple({"key": key} for key in keys), draw(st.booleans()))
