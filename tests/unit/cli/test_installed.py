"""A Python that is too old, and an installation that is not whole, are told so in one line."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import runit_provision


@pytest.mark.shows("roads", "command line", "an old Python")
def test_an_older_python_is_refused_in_one_line() -> None:
    older = "import sys; sys.version_info = (3, 9, 18, 'final', 0); from runit_provision.cli import main"
    done = subprocess.run([sys.executable, "-c", older], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "runit-provision needs Python 3.11 or later; this is Python 3.9\n")
    # What is read before that, an older one can read.
    ast.parse(Path(runit_provision.__file__).read_text(), feature_version=(3, 4))


@pytest.mark.shows("roads", "command line", "an installation in part")
@pytest.mark.parametrize("module", ["click", "pydantic", "jinja2", "yaml", "runit_provision.apply"])
def test_an_installation_in_part_is_told_with_what_is_missing(module: str, tmp_path: Path) -> None:
    partial = f"import sys; sys.modules[{module!r}] = None; from runit_provision.cli import main; sys.exit(main())"
    (tmp_path / "data.yaml").write_text("runit: {services: {worker: {command: [sleep, '1000']}}}")
    (tmp_path / "image/etc").mkdir(parents=True)
    for name, line in (("passwd", "root:x:0:0::/root:/bin/sh"), ("group", "root:x:0:")):
        (tmp_path / "image/etc" / name).write_text(f"{line}\n")
    command = [sys.executable, "-P", "-c", partial, "apply", "--data", f"{tmp_path}/data.yaml", "--root", f"{tmp_path}/image"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert {path.name for path in (tmp_path / "image").rglob("*")} == {"etc", "passwd", "group"}
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("runit-provision is installed only in part: ")
    assert module in line
    assert line.endswith("; install it again, with all that it requires")
