"""What `pip install` finds where no index is reached: this package as a wheel, and all that it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def wheelhouse(folder: Path, extra: str = "") -> dict[str, str]:
    """Fill `folder` with wheels, of what `extra` asks for too; give the environment by which pip takes them and nothing else."""
    what = f"{CHECKOUT}[{extra}]" if extra else str(CHECKOUT)
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--wheel-dir", str(folder), what]
    subprocess.run(words, check=True, capture_output=True)
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_CONFIG_FILE": "/dev/null"}
