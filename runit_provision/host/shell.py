"""What a shell finds wrong with a script, without running any of it; `sh -n`."""

from __future__ import annotations

import re
import subprocess
from functools import cache

from runit_provision.inputs import Inputs

_SHELLS = {"sh": "/bin/sh", "dash": "/bin/sh", "bash": "/bin/bash"}
"""The program that reads a script, by the name that its shebang has: never a path of the data, which whoever wrote it could own."""
_SHEBANG = re.compile(r"#! ?/(?:\S*/)?(?:env +)?([^\s/]+)")
_PLACE = re.compile(r"^[^:]*: (?:line )?(\d+): ")
_PATIENCE = 10
"""Seconds; reading alone never takes that long."""


@cache
def complaint(text: str, inputs: Inputs) -> str:
    """Give what the shell that `text` is for says of its syntax, with the line; "" when nothing, or when no shell here can tell.

    A text without a shebang is read by sh.
    """
    found = _SHEBANG.match(text)
    shell = _SHELLS.get(found[1] if found else "sh")
    if shell is None or not inputs.program(shell):
        return ""
    # An empty environment: BASH_ENV would name a script that is run first.
    try:
        done = subprocess.run([shell, "-n"], input=text.encode(), env={}, capture_output=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    if done.returncode == 0:
        return ""
    first = done.stderr.decode(errors="replace").partition("\n")[0]
    return _PLACE.sub(r"line \1: ", first)
