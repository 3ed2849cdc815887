"""One folder for one idea: data in, the whole tree out. `GOLDEN=write` writes what comes out, to be read before it is committed."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.agreement import agree
from support.listing import listing
from support.world import example, examples, tree_of_source

from runit_provision.app.source import Source
from runit_provision.errors import DataError

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("cases/*/data.yaml"))
REFUSALS = sorted(HERE.glob("refusals/*.yaml"))
NODES = sorted(file.stem for file in (examples() / "facts").iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_data_mean_this_tree(case: Path) -> None:
    agree(case / "tree.txt", listing(tree_of_source(Source(data=case / "data.yaml"))))


@pytest.mark.parametrize("node", NODES)
def test_the_examples_mean_this_tree(node: str) -> None:
    agree(HERE / "examples" / f"{node}.txt", listing(tree_of_source(example(node))))


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.stem)
def test_wrong_data_are_refused_with_every_problem_at_once(case: Path) -> None:
    with pytest.raises(DataError) as caught:
        tree_of_source(Source(data=case))
    agree(case.with_suffix(".txt"), str(caught.value).replace(f"{HERE}/refusals/", "") + "\n")


def test_a_problem_stands_at_the_file_that_its_value_came_from_however_levels_were_merged() -> None:
    with pytest.raises(DataError) as caught:
        tree_of_source(Source(hiera_config=HERE / "merged/hiera.yaml"))
    agree(HERE / "merged/problems.txt", str(caught.value).replace(f"{HERE}/merged/", "") + "\n")
