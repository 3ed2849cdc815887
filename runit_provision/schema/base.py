"""What all parts of the data share: no unknown key, and a description for each known one."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """A hash of known keys.

    The text below each key describes it, and gives values that it may have, in YAML, after the word `Example:`. It is read from
    the source only when somebody asks for it (`described.py`), since reading it costs more than all else that happens here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
