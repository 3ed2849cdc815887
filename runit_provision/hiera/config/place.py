"""Which layer a hiera.yaml is of."""

from __future__ import annotations

from enum import Enum, auto


class Place(Enum):
    """The layers, in the order in which they are asked."""

    GLOBAL = auto()
    ENVIRONMENT = auto()
    MODULE = auto()
