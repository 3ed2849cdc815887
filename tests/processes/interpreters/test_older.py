"""A tool whose python3 was exchanged for an older one."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path


def test_a_tool_whose_python_was_exchanged_for_an_older_one_says_so(runtime: Path) -> None:
    older = "import sys; sys.version_info = (3, 9, 2, 'final', 0); sys.argv[:] = sys.argv[1:]; exec(open(sys.argv[0]).read())"
    for tool in ("sv", "runsvdir"):
        file = runtime / tool
        done = subprocess.run([sys.executable, "-IS", "-c", older, file], capture_output=True, text=True, check=False)
        python = file.read_text().split()[0].removeprefix("#!")
        assert (done.returncode, done.stderr) == (1, f"{file} needs Python 3.11 or later; {python} is Python 3.9\n")
        ast.parse(file.read_text(), feature_version=(3, 5))  # what it reads before that
