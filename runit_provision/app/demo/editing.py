"""One value changed in a file that a person wrote: comments, order and quotes stay."""

from __future__ import annotations

import difflib
import io
from collections.abc import Sequence
from pathlib import Path


def change(file: Path, path: Sequence[str], value: str) -> list[str]:
    """Set the item that `path` leads to; give the lines of a unified diff."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096  # no line that a person wrote is folded anew
    before = file.read_text(encoding="utf-8")
    data = yaml.load(before)
    *folders, last = path
    table = data
    for folder in folders:
        table = table[folder]
    table[last] = value
    text = io.StringIO()
    yaml.dump(data, text)
    file.write_text(text.getvalue(), encoding="utf-8")
    lines = difflib.unified_diff(before.splitlines(), text.getvalue().splitlines(), file.name, file.name, n=1, lineterm="")
    return list(lines)
