"""Values, and the formats by which String.new writes them."""

from __future__ import annotations

import json

from conformance.hiera.case import Case
from hypothesis import strategies as st

_SCALARS = (
    *("0", "1", "-1", "255", "-256", "8", "-7", "233", "1114111", "-12345678901234567890", "0x1F", "true", "false", "~", "''"),
    *("0.0", "1.5", "-2.5", "1e-5", "0.1", "123456.789", "-1.0e+20", "1.0e+300", ".inf", "-.inf", ".nan"),
    *("foo", "'a b'", "'fOO::bar::'", "'it''s'", "'a\\b\\'", '" x\\t\\n"', "'$x \"q\"'", "'\u00e9t\u00c9'", "'\u00df'", "'%d'"),
)
_values = st.recursive(
    st.sampled_from(_SCALARS),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(st.sampled_from(("a", "'b c'", "1", "2.5")), inner, max_size=3).map(
            lambda table: f"{{{', '.join(f'{key}: {item}' for key, item in table.items())}}}"
        )
    ),
    max_leaves=8,
)
_flags = st.lists(st.sampled_from(" #+-0[{(<|"), max_size=3).map("".join) | st.sampled_from(("", "#", "#", "-", "0", "+"))
_widths = st.sampled_from(("", "", "", "1", "3", "9", "24"))
_precisions = st.sampled_from(("", "", "", ".0", ".1", ".3", ".9"))
_odd = st.sampled_from(("%", "d", "%d%d", "x\n%d", "%s\n", "%%\n%x", "%\td", "%5", "%.d", "%i", "default", "%-05-d"))


@st.composite
def formats(draw: st.DrawFn) -> Case:
    """Values that lookup_options turn into strings by a format."""
    data, options = [], []
    for key in ("a", "b", "c", "d"):
        letter = draw(st.sampled_from("dxXobBeEfgGaAspspahhcCudtTyYnvVq"))
        form = f"%{draw(_flags)}{draw(_widths)}{draw(_precisions)}{letter}" if draw(st.integers(0, 9)) else draw(_odd)
        data.append(f"{key}: {draw(_values)}")
        options.append(f"{key}: {{convert_to: [String, {json.dumps(form)}]}}")
    data += ["s: x", "t: [\"%{alias('s')}\"]", "u: \"%{alias('s')}\""]
    options += ["s: {convert_to: Sensitive}", "t: {convert_to: [String, '%s']}", f"u: {{convert_to: [String, {json.dumps(form)}]}}"]
    text = "\n".join([*data, f"lookup_options: {{{', '.join(options)}}}", ""])
    return Case({"hiera.yaml": "version: 5\n", "data/common.yaml": text}, tuple({"key": key} for key in "abcdtu"), draw(st.booleans()))
