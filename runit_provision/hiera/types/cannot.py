"""What a conversion raises."""

from __future__ import annotations

from runit_provision.hiera.values.ways import Path


class CannotError(Exception):
    """The value cannot be converted; the text says why, without the value. `path` leads to the item that is to blame."""

    def __init__(self, text: str, path: Path = ()) -> None:
        super().__init__(text)
        self.path = path
