"""What comes out, and what is kept of it. `GOLDEN=write` keeps what comes out, to be read before it is committed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest


def agree(file: Path, text: str) -> None:
    """Compare `text` with what `file` holds, or keep it there and fail, so that nobody takes that for a comparison."""
    agree_all({file: text})


def agree_all(texts: Mapping[Path, str]) -> None:
    """Compare each text with what its file holds, or keep all of them."""
    other = {file: text for file, text in texts.items() if not file.exists() or file.read_text() != text}
    if os.environ.get("GOLDEN") == "write":
        for file, text in other.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        if other:
            pytest.fail(f"written; read the difference: {', '.join(map(str, other))}")
    for file, text in other.items():
        assert text == (file.read_text() if file.exists() else ""), f"{file} is not up to date; GOLDEN=write"
