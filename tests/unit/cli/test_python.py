"""A Python that is too old is told so in one line."""

from __future__ import annotations

import subprocess
import sys


def test_an_older_python_is_refused_in_one_line() -> None:
    older = "import sys; sys.version_info = (3, 9, 18, 'final', 0); from runit_provision.cli import main"
    done = subprocess.run([sys.executable, "-c", older], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "runit-provision needs Python 3.11 or later; this is Python 3.9\n")
