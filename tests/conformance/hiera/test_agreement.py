"""Thousands of drawn hierarchies, looked up by Puppet and by ours: the same value, the same nothing, or an error from both.

A run compares 2,000 cases, the same ones each time; HARNESS=all compares 20,000, other ones each day, and those again, all of them
strictly, with Puppet 8.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from conformance.hiera.case import Case
from conformance.hiera.differences import Difference, allowed
from conformance.hiera.drawn.conversions import conversions
from conformance.hiera.drawn.documents import documents, hocon_files, json_files, yaml_scalars
from conformance.hiera.drawn.encrypted import CLEAR, encrypted_levels
from conformance.hiera.drawn.formats import formats
from conformance.hiera.drawn.hierarchies import UNDEFINED_LEVEL, hierarchies, interpolations, layers
from conformance.hiera.drawn.merges import merges
from conformance.hiera.puppet import Answer, Puppet, ask_ours, same
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from support import oracle
from support.encrypted import Lock

_ALL = os.environ.get("HARNESS") == "all"
_SEED = datetime.date.today().toordinal() if _ALL else 5
_HUNDREDTH = 200 if _ALL else 20
_ENCRYPTED = "encrypted levels"
_AREAS: dict[str, tuple[st.SearchStrategy[Case], int]] = {
    "hierarchies": (hierarchies(), 27),
    "merges": (merges(), 15),
    "layers": (layers(), 14),
    "interpolations": (interpolations(), 9),
    "conversions": (conversions(), 8),
    "formats": (formats(), 3),
    "documents": (documents(), 6),
    _ENCRYPTED: (encrypted_levels(), 6),
    "yaml scalars": (yaml_scalars(), 4),
    "json files": (json_files(), 4),
    "hocon files": (hocon_files(), 4),
}
"""What is drawn, and how many hundredths of all cases."""


@dataclass(frozen=True)
class _Asked:
    case: Case
    folder: Path
    theirs: Future[list[Answer]]
    ours: list[Answer]

    def differences(self, puppet: Puppet) -> Iterator[tuple[Difference | None, str]]:
        """Give of each answer that differs the row that says why, if one does, and all that was asked and said."""
        for query, theirs, ours in zip(self.case.queries, self.theirs.result(), self.ours, strict=True):
            if not same(theirs, ours):
                yield self._reason(puppet, self.case, query, theirs, ours), _report(self.case, query, theirs, ours)

    def _reason(self, puppet: Puppet, case: Case, query: dict[str, Any], theirs: Answer, ours: Answer) -> Difference | None:
        row = allowed("\n".join(case.files.values()), query, theirs, ours)
        if row is None or row.instead is None:
            return row
        other = replace(case, files={name: row.instead(text, theirs) for name, text in case.files.items()}, queries=(query,))
        (instead,) = puppet.ask_meanwhile(other.lay(self.folder)).result()
        if same(instead, ours):
            return row
        return None if other.files == case.files else self._reason(puppet, other, query, instead, ours)


Record = Callable[[str, object], None]


@pytest.fixture(scope="session")
def lock(tmp_path_factory: pytest.TempPathFactory) -> Lock:
    oracle.program("eyaml", package="hiera-eyaml")
    return Lock(tmp_path_factory.mktemp("keys"), CLEAR)


@pytest.mark.parametrize("area", _AREAS)
def test_every_drawn_case_has_puppets_answer(area: str, puppet: Puppet, lock: Lock, tmp_path: Path, record_property: Record) -> None:
    _compare(area, puppet, lock, tmp_path, record_property)


if _ALL:

    @pytest.mark.parametrize("area", _AREAS)
    def test_every_drawn_case_has_the_answer_of_puppet_8(
        area: str, newest_puppet: Puppet, lock: Lock, tmp_path: Path, record_property: Record
    ) -> None:
        _compare(area, newest_puppet, lock, tmp_path, record_property, strict=True)


def _compare(area: str, puppet: Puppet, lock: Lock, folder: Path, record: Record, *, strict: bool = False) -> None:
    """Draw the area's cases and compare all answers.

    strict: in the strict mode alone, which then is Puppet 8's; else in the one that each case has. To Puppet 7 an undefined variable in
    a level's location is an error there, to 8 and to ours a warning, and an empty metadata.json keeps a module out, to 8 and to ours it
    is as none: beside 7 such a case is asked leniently.
    """
    drawn, hundredths = _AREAS[area]
    asked: list[_Asked] = []

    @seed(_SEED)
    @settings(
        max_examples=hundredths * _HUNDREDTH,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn)
    def ask(case: Case) -> None:
        is_strict = strict or (case.strict and not _newer(case))
        case = replace(case, files={name: lock.close(text) for name, text in case.files.items()}, strict=is_strict)
        within = folder / str(len(asked))
        question = case.lay(within)
        asked.append(_Asked(case, within, puppet.ask_meanwhile(question), ask_ours(question, secrets=area != _ENCRYPTED)))

    ask()
    differences = [difference for each in asked for difference in each.differences(puppet)]
    differing = [report for row, report in differences if row is None]
    record("compared", (len(asked), sum(len(each.ours) for each in asked), len(differences) - len(differing), len(differing)))
    assert not differing, f"{len(differing)} answers of {len(asked)} cases differ, as\n" + min(differing, key=len)
    assert len(asked) >= hundredths * _HUNDREDTH


def _newer(case: Case) -> bool:
    return any(UNDEFINED_LEVEL in text or (not text and name.endswith("/metadata.json")) for name, text in case.files.items())


def _report(case: Case, query: dict[str, Any], theirs: list[Any], ours: list[Any]) -> str:
    files = "".join(f"--- {name}\n{text}\n" for name, text in case.files.items())
    return f"{files}{query} strict={case.strict}\nPuppet: {theirs}\nours:   {ours}"
