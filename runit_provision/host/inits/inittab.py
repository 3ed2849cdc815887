"""/etc/inittab, which sysvinit and busybox read: four fields to a line, with colons between; inittab(5)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runit_provision.errors import Problem
from runit_provision.host.inits import scripts
from runit_provision.host.inits.boot import Boot
from runit_provision.host.manifest import read
from runit_provision.host.rooted import on_host

PATH = "/etc/inittab"


def unfit(root: Path) -> Iterator[Problem]:
    """Give why no line can be put there."""
    file = on_host(root, PATH)
    if file.is_symlink():
        hint = "put the file itself in its place; it is to be replaced at once, and a link would be lost"
        yield Problem(f"a symbolic link to {file.readlink()}", path=PATH, hint=hint)
    elif not file.exists():
        yield Problem("No such file", path=PATH, hint="is this a host of an init that reads it? name its init with --init")


def strangers(root: Path) -> Iterator[tuple[int, list[str]]]:
    """Give the lines that are not ours, numbered from 1, in their fields."""
    text = (read(on_host(root, PATH)) or b"").decode(errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        fields = fields_of(line)
        if fields and not fields[3].startswith(f"{scripts.FOLDER}/runsvdir-"):
            yield number, fields


def same_tree(number: int, fields: list[str], boot: Boot) -> Iterator[Problem]:
    """Give what is wrong with a line that starts the same tree."""
    if boot.is_started_by(fields[3]):
        yield Problem(f"line {number} starts runsvdir on {boot.services} already", path=PATH, hint="remove it first")


def fields_of(line: str) -> list[str]:
    """Split a line into id, levels, action and process; empty for a comment, and for what is no entry."""
    fields = line.split(":", 3)
    return [] if line.lstrip().startswith("#") or len(fields) < 4 else fields
