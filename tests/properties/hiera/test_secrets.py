"""No secret is seen without --show-secrets, wherever it stands in the data and whatever is made of it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.encrypted import Lock

from runit_provision.cli import main

_EXAMPLES = 4_000 if os.environ.get("HARNESS") == "all" else 150
_CLEAR = {
    "ENC-text": "Zq7uSecret",
    "ENC-words": "Zq8v Secret, Zq8w",
    "ENC-number": "4711081542",
    "ENC-hexadecimal": "0x1CEB00DA",
    "ENC-fraction": "815.47110815",
    "ENC-percent": "Zq9x%{Zq9y}",
    "ENC-call": "Zq5x%{lookup('Zq5y')}",
    "ENC-pairs": "Zqkv",
}
"""What is encrypted, by the word that stands for it in drawn data."""
_PLAIN = "Zq6pPlain"
"""Text that stands in files as it is, under keys that lookup_options make Sensitive."""
_SEEN = re.compile(r"Zq|4711081542|485163226|1CEB00DA|81547110815", re.IGNORECASE)
"""Anything of a secret, also of a number written otherwise; the letters and digits of what is printed are searched."""
_KEYS = ("a", "b", "c", "d", "m::a", "m::b")
_HIDDEN = ("hidden", "hidden2")
_BEHIND = "behind"
"""A key that nobody asks for but those."""
_SENSITIVE = ("Sensitive", "Sensitive[Data]", "Sensitive[String]", "Optional[Sensitive]", " Sensitive", "NotUndef[Sensitive[Any]]")
_TYPES = (
    *("Integer", "Float", "Numeric", "String", "Boolean", "Array", "Hash", "Tuple", "Iterable", "Sensitive", "Sensitive[Integer]"),
    *("Optional[Integer]", "Array[Integer]", "Array[String]", "Hash[String, String]", "Enum[a]", "Nosuch"),
)
_MERGES = ("first", "unique", "hash", "deep", "{strategy: deep, knockout_prefix: '--', sort_merged_arrays: true}")


@pytest.fixture(scope="module")
def lock(tmp_path_factory: pytest.TempPathFactory) -> Lock:
    return Lock(tmp_path_factory.mktemp("keys"), _CLEAR)


_names = st.sampled_from([*_KEYS, *_HIDDEN, "a.x", "b.0", "nosuch"])
_calls = st.builds("%{{{}('{}')}}".format, st.sampled_from(["lookup", "lookup", "alias"]), _names)
_texts = st.one_of(_calls, _calls.map("<{}>".format), st.sampled_from(["plain", "--plain", "%{role}", "%{nope}", "7"]))
_secrets = st.sampled_from([*_CLEAR, *(f"x {word} y" for word in _CLEAR), "ENC-text ENC-number"])
_leaves: st.SearchStrategy[Any] = st.one_of(_secrets, _texts, st.sampled_from([5, 1.5, True, None]))
_values = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y"]) | _calls, inner, max_size=3),
    max_leaves=5,
)
_converted = st.sampled_from(_TYPES) | st.sampled_from(_TYPES).map(lambda name: [name, True])


@st.composite
def _options(draw: st.DrawFn) -> dict[str, Any]:
    """lookup_options that hide the plain secrets, and convert and merge the others."""
    options: dict[str, Any] = {name: {"convert_to": draw(st.sampled_from(_SENSITIVE))} for name in _HIDDEN}
    for key in draw(st.lists(st.sampled_from(_KEYS), max_size=4, unique=True)):
        options[key] = draw(
            st.fixed_dictionaries({}, optional={"convert_to": _converted, "merge": st.sampled_from(["deep", "unique", "hash"])})
        )
    return options


@st.composite
def _hierarchies(draw: st.DrawFn) -> dict[str, str]:
    """The files of a hierarchy: two encrypted levels, one of JSON, one of HOCON, and a module with a default_hierarchy."""
    data = {
        name: draw(st.dictionaries(st.sampled_from(_KEYS), _values, min_size=1, max_size=4)) for name in ("node", "common", "defaults")
    }
    pointers = st.dictionaries(st.sampled_from(_KEYS), _texts, max_size=3)
    data["common"]["lookup_options"] = draw(_options())
    plain = [_PLAIN, f"{_PLAIN}%{{role}}", f"%{{{_PLAIN}}}", f"Zq6%{{lookup('{_PLAIN}')}}", [f"{_PLAIN}%{{role}}"], {"x": _PLAIN}]
    hidden = st.sampled_from([*plain, "%{lookup('a')}", f"%{{lookup('{_BEHIND}')}}", f"%{{alias('{_BEHIND}')}}"])
    data["common"] |= {name: draw(hidden) for name in _HIDDEN} | {_BEHIND: draw(st.sampled_from(plain))}
    files = {f"data/{name}.yaml": json.dumps(value) for name, value in data.items()}
    files["data/inventory.json"] = json.dumps(draw(pointers))
    if draw(st.integers(0, 3)) == 1:  # the library that reads HOCON is slow
        files["data/other.conf"] = json.dumps(draw(pointers))
    files["modules/m/data/defaults.yaml"] = json.dumps({f"m::{key}": draw(_values) for key in "ab"})
    return files


_CONFIG = """\
version: 5
hierarchy:
  - {name: node, lookup_key: eyaml_lookup_key, path: node.yaml, options: EYAML-OPTIONS}
  - {name: inventory, data_hash: json_data, path: inventory.json}
  - {name: other, data_hash: hocon_data, path: other.conf}
  - {name: common, lookup_key: eyaml_lookup_key, path: common.yaml, options: EYAML-OPTIONS}
"""
_MODULE = """\
version: 5
hierarchy: []
default_hierarchy: [{name: defaults, lookup_key: eyaml_lookup_key, path: defaults.yaml, options: EYAML-OPTIONS}]
"""


def _lookup(folder: Path, *words: str) -> str:
    """Everything that the command prints; a traceback fails the test."""
    said = io.StringIO()
    given = (
        "--hiera-config",
        str(folder / "hiera.yaml"),
        "--modulepath",
        str(folder / "modules"),
        "--node",
        "n1",
        "--fact",
        "role=web",
    )
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        status = main(["lookup", *words, *given])
    assert status in (0, 1), said.getvalue()
    return said.getvalue()


@settings(max_examples=_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(files=_hierarchies(), key=_names, merge=st.sampled_from([None, *_MERGES[:4]]), lenient=st.booleans())
def test_nothing_that_is_printed_shows_a_secret(
    files: dict[str, str], key: str, merge: str | None, lenient: bool, lock: Lock, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("case")
    files |= {"hiera.yaml": _CONFIG, "modules/m/hiera.yaml": _MODULE}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(lock.close(text))
    words = [key, *(["--merge", merge] if merge else []), *(["--lenient"] if lenient else [])]
    for form in (["--explain"], ["--format", "json"], ["--type", "Integer"]):
        said = _lookup(folder, *words, *form)
        assert not _SEEN.search(re.sub(r"\W|_", "", said.replace(str(folder), ""))), said


def test_every_secret_is_shown_when_that_is_asked_for(lock: Lock, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "hiera.yaml").write_text(lock.close(_CONFIG))
    (tmp_path / "data/node.yaml").write_text(lock.close("a: {x: ['ENC-text'], \"%{lookup('b')}\": 1}\nb: 'k ENC-number'\n"))
    assert _lookup(tmp_path, "a") == "Sensitive [value redacted]\n"
    assert _lookup(tmp_path, "a.x") == "- Sensitive [value redacted]\n"
    assert _lookup(tmp_path, "a", "--show-secrets") == "x:\n- Zq7uSecret\nk 4711081542: 1\n"
    assert '{"x": ["Zq7uSecret"], "k 4711081542": 1}' in _lookup(tmp_path, "a", "--explain", "--show-secrets")
