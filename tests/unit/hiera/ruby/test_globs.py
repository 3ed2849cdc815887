"""Patterns of file names, compared with Ruby's own."""

from __future__ import annotations

import json
import random
import re
import subprocess
from pathlib import Path

import pytest
from support import oracle

from runit_provision.hiera.ruby.globs import ruby_glob
from runit_provision.inputs import Inputs

_BRACES = ["{g,f}", "*/{g,f}", "**/{g,f}", "{a,.}/**/{g,f}", "**/a/{g,f}", "{b,a}/{g,f}", "**/{,a}g", "a/{g,{f,b/..}}"]
"""In each folder in the order written, but behind `**/`."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a")
    for name in ("f", "a/f", "g", "a/g"):
        (tmp_path / name).touch()
    return tmp_path


def both(folder: Path, pattern: str) -> tuple[list[str], list[str]]:
    """Give the files that ours finds, and Ruby's, below `folder`."""
    ruby = oracle.program("ruby", package="ruby")
    code = "require 'json'; puts JSON.generate(Dir.glob(ARGV[0]))"
    said = subprocess.run([ruby, "-e", code, f"{folder}/{pattern}"], capture_output=True, text=True, check=True).stdout
    found = (list(ruby_glob(f"{folder}/{pattern}", Inputs())), json.loads(said))
    ours, theirs = ([str(Path(path).relative_to(folder)) for path in paths if not Path(path).is_dir()] for paths in found)
    return ours, theirs


@pytest.mark.parametrize("pattern", ["*", "**/*", "*/", "**/", "a/", "f/", "{a,f}/", "*/*/", "l*/", "**/*/", "*//", *_BRACES])
def test_the_files_that_a_pattern_matches_are_ruby_s_and_none_with_a_slash_at_its_end(pattern: str, folder: Path) -> None:
    assert list(ruby_glob("//", Inputs())) == []
    ours, theirs = both(folder, pattern)
    assert ours == theirs
    assert bool(ours) == (not pattern.endswith("/"))


def test_all_that_braces_with_a_folder_say_behind_any_folders_are_found_of_which_some_rubies_lose_the_former(folder: Path) -> None:
    ours, theirs = both(folder, "**/{a/g,f}")
    assert ours == ["a/g", "a/f", "f"]
    assert theirs in (ours, ["a/f", "f"])  # 3.1.7, 3.1.2


_SIGNS = ["[", "]", "a", "b", "u", "-", "^", "!", "*", "?", "\\", "é", "{", "}"]
_PIECES = [*_SIGNS, ".", ",", "/", "d/", "**/", "[a-c]", "[!a]", "[^a]", "[]u"]
_NAMES = [*_SIGNS, "[]u", "a]", "a-b", "a\\b", ".h", "a,b", "[a]", "{a", "a}"]
_TOLD_OTHERWISE = re.compile(r"//|/\\?/|\./|\.\*|\{\}")
"""Where the two may write the same path in other words, as `d//a` or `./a`."""


def test_patterns_of_odd_pieces_match_what_ruby_s_match(tmp_path: Path) -> None:
    (tmp_path / "d/d").mkdir(parents=True)
    for folder in ("", "d", "d/d"):
        for name in _NAMES:
            (tmp_path / folder / name).touch()
    pick = random.Random(5)
    drawn = ("".join(pick.choices(_PIECES, k=pick.randint(1, 6))) for _ in range(3000))
    patterns = [f"{tmp_path}/{text}" for text in drawn if not _TOLD_OTHERWISE.search(f"/{text}")]
    code = "puts JSON.generate(JSON.parse($stdin.read).map { |text| Dir.glob(text).reject { |path| File.directory?(path) } })"
    asked = [oracle.program("ruby", package="ruby"), "-rjson", "-e", code]
    said = subprocess.run(asked, input=json.dumps(patterns), capture_output=True, text=True, check=True).stdout
    ours = [[path for path in ruby_glob(pattern, Inputs()) if not Path(path).is_dir()] for pattern in patterns]
    theirs = json.loads(said)
    assert [each for each in zip(patterns, theirs, ours, strict=True) if each[1] != each[2]] == []
    assert sum(map(bool, theirs)) > 400
