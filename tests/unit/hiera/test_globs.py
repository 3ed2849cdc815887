"""Patterns of file names, compared with Ruby's own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from support import oracle

from runit_provision.hiera.globs import ruby_glob
from runit_provision.inputs import Inputs


@pytest.mark.parametrize("pattern", ["*", "**/*", "*/", "**/", "a/", "f/", "{a,f}/", "*/*/", "l*/", "**/*/", "*//"])
def test_the_files_that_a_pattern_matches_are_ruby_s_and_none_with_a_slash_at_its_end(pattern: str, tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a")
    for name in ("f", "a/f"):
        (tmp_path / name).touch()
    ruby = oracle.program("ruby", package="ruby")
    code = "require 'json'; puts JSON.generate(Dir.glob(ARGV[0]))"
    said = subprocess.run([ruby, "-e", code, f"{tmp_path}/{pattern}"], capture_output=True, text=True, check=True).stdout
    files = [path for path in ruby_glob(f"{tmp_path}/{pattern}", Inputs()) if not Path(path).is_dir()]
    assert files == [path for path in json.loads(said) if not Path(path).is_dir()]
    assert bool(files) == (not pattern.endswith("/"))
