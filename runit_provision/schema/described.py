"""What the keys of the data mean, with examples: read from the text below each key in the source of its model."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from runit_provision.schema.base import Spec


@dataclass(frozen=True, slots=True)
class Description:
    """text: in words. examples: values that the key may have."""

    text: str
    examples: tuple[Any, ...]


def descriptions(model: type[Spec]) -> dict[str, Description]:
    """Give what is said of each key of `model`, in the order in which they are written."""
    (definition,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(definition, ast.ClassDef)
    return dict(_described(definition))


def _described(definition: ast.ClassDef) -> Iterator[tuple[str, Description]]:
    for key, text in zip(definition.body, definition.body[1:], strict=False):
        match key, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                words, *examples = re.split(r"\s+Example: ", said)
                yield name, Description(" ".join(words.split()), tuple(yaml.safe_load(example) for example in examples))
            case _:
                pass
