"""Thousands of drawn hierarchies, looked up by Puppet and by ours: the same value, the same nothing, or an error from both.

A run compares 2,000 cases, the same ones each time; HARNESS=all compares 20,000, other ones each day.
"""

from __future__ import annotations

import datetime
import itertools
import os
from pathlib import Path
from typing import Any

import pytest
from conformance.hiera import cases
from conformance.hiera.differences import allowed
from conformance.hiera.puppet import Puppet, ask_ours, same
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

_ALL = os.environ.get("HARNESS") == "all"
_SEED = datetime.date.today().toordinal() if _ALL else 5
_EXAMPLES = 20_000 if _ALL else 2_000
_AREAS: dict[str, tuple[st.SearchStrategy[cases.Case], float]] = {
    "hierarchies": (cases.hierarchies(), 0.3),
    "merges": (cases.merges(), 0.2),
    "layers": (cases.layers(), 0.15),
    "interpolations": (cases.interpolations(), 0.1),
    "conversions": (cases.conversions(), 0.08),
    "documents": (cases.documents(), 0.07),
    "yaml scalars": (cases.yaml_scalars(), 0.05),
    "json files": (cases.json_files(), 0.05),
}
_numbers = itertools.count()


@pytest.mark.parametrize("area", _AREAS)
def test_every_drawn_case_has_puppets_answer(area: str, puppet: Puppet, tmp_path: Path) -> None:
    drawn, share = _AREAS[area]
    differing: list[str] = []
    compared = 0

    @seed(_SEED)
    @settings(
        max_examples=int(_EXAMPLES * share),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn)
    def compare(case: cases.Case) -> None:
        nonlocal compared
        compared += 1
        question = case.lay(tmp_path / str(next(_numbers)))
        for query, theirs, ours in zip(case.queries, puppet.ask(question), ask_ours(question), strict=True):
            if not same(theirs, ours) and not allowed(query, theirs, ours):
                differing.append(_report(case, query, theirs, ours))

    compare()
    assert compared
    assert not differing, f"{len(differing)} answers of {compared} cases differ, as\n" + min(differing, key=len)


def _report(case: cases.Case, query: dict[str, Any], theirs: list[Any], ours: list[Any]) -> str:
    files = "".join(f"--- {name}\n{text}\n" for name, text in case.files.items())
    return f"{files}{query} strict={case.strict}\nPuppet: {theirs}\nours:   {ours}"
