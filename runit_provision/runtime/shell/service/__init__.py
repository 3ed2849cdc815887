"""One service directory, as its supervisor has it; runsv(8)."""
