"""A small filesystem of a test's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support import oracle


def mount_disk(folder: Path, *features: str, options: str = "loop") -> Path:
    """Make an ext4 of 16 MB in `folder` with mkfs's further words, and mount it; give where. Whoever calls it unmounts it."""
    oracle.root("a filesystem of its own")
    oracle.program("mkfs.ext4", package="e2fsprogs")
    path, image = folder / "disk", folder / "image"
    path.mkdir()
    with image.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", *features, str(image)], check=True)
    subprocess.run(["mount", "-o", options, str(image), str(path)], check=True)
    return path
