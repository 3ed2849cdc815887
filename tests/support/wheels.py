"""What `pip install` finds where no index is reached: this package as a wheel, and all that it needs."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def built(folder: Path) -> Path:
    """Give `folder` with wheels in it, of what testinfra needs too: made by whoever comes first, while the others wait."""
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            new = folder.with_suffix(".new")
            pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--wheel-dir", str(new)]
            subprocess.run([*pip, f"{CHECKOUT}[testinfra]"], check=True, capture_output=True)
            new.rename(folder)
    return folder


def laid(wheels: Path, folder: Path) -> dict[str, str]:
    """Make `folder` with these wheels in it; give the environment by which pip takes them and nothing else."""
    shutil.copytree(wheels, folder, copy_function=os.link)
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_CONFIG_FILE": "/dev/null"}
