"""Variables as files of an env directory, or as lines of the script where such a file cannot hold them; chpst(8), -e."""

from __future__ import annotations

from runit_provision.model.process import Variable


def carried(variable: Variable) -> bool:
    """Whether a file holds it: chpst takes blanks off the end, and sets it only behind the script."""
    return variable.value is None or not (variable.in_script or variable.value.endswith((" ", "\t")))


def content(variable: Variable) -> bytes:
    """Give the file: the value with NUL for each newline, and nothing at all to unset the variable."""
    if variable.value is None:
        return b""
    return variable.value.encode().replace(b"\n", b"\0") + b"\n"
