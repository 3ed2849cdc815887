"""How much data may be: more than this is an attack or a mistake."""

from __future__ import annotations

DEEPEST = 100
"""Levels of hashes and lists in each other, as Ruby's JSON has it."""
MOST_VALUES = 2_000_000
"""Values of one file, where an alias or a substitution counts as all that it repeats."""
