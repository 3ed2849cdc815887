"""What all parts of the data share: no unknown key, a description for each known one, and null for what is not said."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Spec(BaseModel):
    """A hash of known keys.

    The text below each key describes it, and gives values that it may have, in YAML, after the word `Example:`. It is read from
    the source only when somebody asks for it (`described.py`), since reading it costs more than all else that happens here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        """A key that is null is as if it were not there: so one level, or a service, takes away what lies beneath it."""
        if isinstance(value, dict) and None in value.values():
            return {key: item for key, item in value.items() if item is not None}
        return value
