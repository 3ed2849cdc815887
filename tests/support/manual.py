"""What runit's programs can be told: options as the programs themselves take them, the rest as their manual pages list it.

A row is (tool, what): an option `-w`, a command `restart`, a letter `u`, a directive `s`, a variable `$SVDIR`, `exit 100`,
`signal HUP`.
"""

from __future__ import annotations

import gzip
import re
import string
import subprocess
from collections.abc import Iterator
from pathlib import Path

from . import oracle

Row = tuple[str, str]

_PAGES = Path("/usr/share/man/man8")
_TOOLS = ("runsvdir", "runsv", "sv", "svlogd", "chpst", "runsvchdir", "utmpset")
_TAKE_OPTIONS = {"sv": "sv", "svlogd": "svlogd", "chpst": "chpst", "utmpset": "utmpset"}
"""Programs that answer a wrong option at once: the others would begin to supervise."""
_OTHER_NAMES = ("setuidgid", "envuidgid", "envdir", "pgrphack", "setlock", "softlimit")
_SECTIONS = ("COMMANDS", "CONTROL", "CONFIG", "OPTIONS", "ENVIRONMENT")


def rows(place: Path) -> set[Row]:
    """Give every row; place: an empty directory for links by which chpst is called by its other names."""
    found = {(tool, "-" + letter) for tool in _TAKE_OPTIONS for letter in _letters(oracle.program(tool, package="runit"))}
    chpst = oracle.program("chpst", package="runit")
    for name in _OTHER_NAMES:
        (place / name).symlink_to(chpst)
        found.add(("chpst", f"as {name}"))
        if _has_options(place / name):
            found |= {("chpst", f"as {name} -{letter}") for letter in _letters(str(place / name))}
    found |= {("runit-init", level) for level in ("0", "6")}
    return found | {(tool, what) for tool in _TOOLS for what in _of_page(tool)}


def _letters(program: str) -> Iterator[str]:
    """Ask the program for each letter whether it is an option of its."""
    for letter in string.ascii_letters + string.digits + "/":
        done = subprocess.run([program, "-" + letter], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if "illegal option" not in done.stderr:
            yield letter


def _has_options(program: Path) -> bool:
    done = subprocess.run([program], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return " [" in done.stderr


def _of_page(tool: str) -> Iterator[str]:
    page = _PAGES / f"{tool}.8.gz"
    if not page.exists():
        oracle.absent(f"{page} is missing (package runit, installed without its manual pages)")
    section = ""
    lines = gzip.decompress(page.read_bytes()).decode().splitlines()
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith((".SH ", ".SS ")):
            section = line[4:]
        elif before == ".TP" and section.startswith((*_SECTIONS, "Commands", "Additional")):
            macro, _, text = line.partition(" ")
            yield from _heads(macro, text, section)
        elif section == "EXIT CODES":
            yield from (f"exit {code}" for code in re.findall(r"(?<!\()\b\d+\b(?! seconds)", line))
        elif section == "SIGNALS":
            yield from (f"signal {name}" for name in re.findall(r"\b([A-Z]{3,4}) signal", line))


def _heads(macro: str, text: str, section: str) -> Iterator[str]:
    """Give what the head of a paragraph stands for: several commands may share one, and what takes a value has it behind itself."""
    words = re.sub(r"\\f.*", "", text.replace("\\-", "-")).split()
    for word in words if macro == ".B" else words[:1]:
        yield f"${word}" if section == "ENVIRONMENT" else word
        if section == "CONTROL":
            yield f"control/{word}"
