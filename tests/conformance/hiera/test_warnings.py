"""What is odd but no error: it is told beside the value."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance.hiera.laid import opened, problems

from runit_provision.hiera import open_hierarchy
from runit_provision.hiera.hierarchy import Hierarchy


def test_what_puppet_loses_behind_a_byte_order_mark_is_a_warning(tmp_path: Path) -> None:
    hierarchy = opened(tmp_path, common="\ufeffa: 1\nb: 2\n", nodes__n1="\ufeff# comment\nc: 1\nd: 2\n")
    assert hierarchy.lookup("b") == 2
    said = "a byte order mark: of such a file Puppet reads the first key alone; remove the mark"
    assert [str(warning) for warning in hierarchy.warnings] == [f"{tmp_path}/data/common.yaml:1:1: {said}"]


def test_an_unknown_option_of_a_key_is_a_warning(tmp_path: Path) -> None:
    hierarchy = opened(tmp_path, common="a: [1]\nlookup_options:\n  a: {mergee: deep, x: 1}\n")
    assert hierarchy.lookup("a") == [1]
    place = f"{tmp_path}/data/common.yaml:3"
    assert [str(warning) for warning in hierarchy.warnings] == [
        f"{place}:7: lookup_options.a.mergee: ignored: no such option; did you mean `merge`?",
        f"{place}:21: lookup_options.a.x: ignored: no such option; known are merge and convert_to",
    ]


def test_an_undefined_variable_is_an_error_or_when_lenient_a_warning(tmp_path: Path) -> None:
    place, said = f"{tmp_path}/data/common.yaml:1:1", "undefined variable `rolle`; did you mean `role`?"
    hierarchy = opened(tmp_path, common="a: 'x%{rolle}'\n")
    assert problems(lambda: hierarchy.lookup("a")) == [f"{place}: a: {said}"]
    lenient = opened(tmp_path, strict=False, common="a: 'x%{rolle}'\n")
    assert lenient.lookup("a") == "x"
    assert [str(warning) for warning in lenient.warnings] == [f"{place}: {said}"]


def test_an_undefined_variable_in_a_levels_path_is_a_warning_as_in_puppet_8(tmp_path: Path) -> None:
    config = "version: 5\nhierarchy:\n  - name: a\n    path: '%{rolle}/x.yaml'\n  - {name: b, path: common.yaml}\n"
    hierarchy = opened(tmp_path, config=config, common="a: 1\n")
    assert hierarchy.lookup("a") == 1
    assert [str(warning) for warning in hierarchy.warnings] == [
        f"{tmp_path}/hiera.yaml:3:5: undefined variable `rolle`; did you mean `role`?"
    ]


def test_a_strategy_that_is_not_under_merge_is_a_warning(tmp_path: Path) -> None:
    hierarchy = opened(tmp_path, common="a: 1\nlookup_options: {a: deep}\n")
    assert hierarchy.lookup("a") == 1
    assert [str(warning) for warning in hierarchy.warnings] == [
        f"{tmp_path}/data/common.yaml:2:18: lookup_options.a: ignored: options are a hash; write `a: {{merge: deep}}`"
    ]


_MENDED = "its data are never found until that is mended"
_LACKING = f"left out of the modules: no `author`, `license`, `dependencies`; {_MENDED}"
_HALF = '{"name": "x-m", "source": "s", "version": "1.0.0"}'


@pytest.mark.parametrize(
    ("metadata", "strict", "said"),
    [
        (_HALF, False, f"1:1: `m` is {_LACKING}"),
        ("{", True, f"1:2: `m` is left out of the modules: not JSON: a key in double quotes is missing; {_MENDED}"),
    ],
)
def test_a_module_that_its_metadata_leave_out_as_in_puppet_is_told(tmp_path: Path, metadata: str, strict: bool, said: str) -> None:
    assert _with_module(tmp_path, "{}").lookup("m::a") == 1
    hierarchy = _with_module(tmp_path, metadata, strict=strict)
    assert hierarchy.find("m::a") is None
    assert [str(warning) for warning in hierarchy.warnings] == [f"{tmp_path}/modules/m/metadata.json:{said}"]


@pytest.mark.parametrize("strict", [True, False])
def test_an_empty_metadata_json_is_as_none_as_in_puppet_8(tmp_path: Path, strict: bool) -> None:
    hierarchy = _with_module(tmp_path, "", strict=strict)
    assert hierarchy.lookup("m::a") == 1
    assert list(hierarchy.warnings) == []


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ("[]", "1:1: metadata of a module are a hash, not an Array"),
        ('{"name": 5}', "1:2: name: a module's name is text, not an Integer"),
    ],
)
def test_metadata_that_puppet_breaks_at_are_an_error(tmp_path: Path, metadata: str, said: str) -> None:
    hierarchy = _with_module(tmp_path, metadata)
    assert problems(lambda: hierarchy.find("m::a")) == [f"{tmp_path}/modules/m/metadata.json:{said}"]
    assert hierarchy.lookup("b") == 2


def _with_module(folder: Path, metadata: str, *, strict: bool = True) -> Hierarchy:
    module = folder / "modules/m"
    (module / "data").mkdir(parents=True, exist_ok=True)
    (module / "hiera.yaml").write_text("version: 5\n")
    (module / "data/common.yaml").write_text("m::a: 1\n")
    (module / "metadata.json").write_text(metadata)
    opened(folder, common="b: 2\n")
    return open_hierarchy(folder / "hiera.yaml", facts={}, node="n1", modulepath=[folder / "modules"], strict=strict)
