"""What both implementations are asked: files, facts, a node, and queries."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FACTS = {
    "role": "web",
    "os": {"family": "Debian", "release": {"major": "12"}},
    "list": ["one", "two"],
    "empty": [],
    "num": 5,
    "float": 1.5,
    "flag": True,
    "nul": None,
    "again": "<%{role}>",
    "nums": [1, 2.5],
    "map": {"k1": "one", "k2": "two"},
    "quoted": 'it\'s "#{x}" \\ \t\u00e9',
}


@dataclass(frozen=True)
class Case:
    """Files below a folder that has hiera.yaml, and what is asked."""

    files: dict[str, str]
    queries: tuple[dict[str, Any], ...]
    strict: bool
    environment: bool = False
    facts: dict[str, Any] = field(default_factory=lambda: FACTS)
    node: str = "n1.example"

    def lay(self, folder: Path) -> dict[str, Any]:
        """Write the files below `folder`; give the question that oracle.rb understands."""
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return {
            "config": str(folder / "hiera.yaml"),
            "facts": self.facts,
            "node": self.node,
            "strict": self.strict,
            "environment": str(folder / "environment") if self.environment else None,
            "modulepath": [str(folder / "modules")],
            "queries": list(self.queries),
        }
