"""A running host whose accounts a test may change: a mount namespace in which /etc and /home are folders of the test's."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from . import oracle, waiting


class Host(NamedTuple):
    """What was left: /etc, the homes, and what the shell said."""

    etc: Path
    homes: Path
    result: subprocess.CompletedProcess[str]

    @property
    def accounts(self) -> dict[str, tuple[str, ...]]:
        """The fields of passwd behind the password, by name."""
        return {line.split(":")[0]: tuple(line.split(":")[2:]) for line in (self.etc / "passwd").read_text().splitlines()}


def on_a_host(folder: Path, line: str) -> Host:
    """Run a shell line there; apply keeps its memory in `folder`/lib."""
    oracle.root("mounts")
    etc, homes = folder / "etc", folder / "homes"
    shutil.copytree("/etc", etc, symlinks=True, ignore_dangling_symlinks=True, ignore=shutil.ignore_patterns("ssl", "alternatives"))
    homes.mkdir()
    environment = {**os.environ, "RUNIT_PROVISION_LIB": str(folder / "lib")}
    words = ["unshare", "-m", "sh", "-c", f"mount --bind {etc} /etc && mount --bind {homes} /home && {line}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment, timeout=waiting.DEADLINE * 3)
    return Host(etc, homes, done)
