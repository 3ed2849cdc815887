"""Variables as files of an env directory, or as lines of the script: what other lines are to see, and what no file holds; chpst(8)."""

from __future__ import annotations

from runit_provision.model.process import Process, Variable


def filed(process: Process) -> tuple[Variable, ...]:
    """Give the variables that files hold. What the script sets needs none, unless another directory might set it anew."""
    return tuple(
        variable
        for variable in process.environment
        if not _blank_at_its_end(variable) and (not variable.in_script or variable.name == "PATH" or process.environment_directories)
    )


def scripted(process: Process) -> tuple[Variable, ...]:
    """Give the variables that the script sets: chpst takes blanks off the end, and sets what a file holds only behind the script."""
    return tuple(variable for variable in process.environment if variable.in_script or _blank_at_its_end(variable))


def _blank_at_its_end(variable: Variable) -> bool:
    return variable.value is not None and variable.value.endswith((" ", "\t"))


def content(variable: Variable) -> bytes:
    """Give the file: the value with NUL for each newline, and nothing at all to unset the variable."""
    if variable.value is None:
        return b""
    return variable.value.encode().replace(b"\n", b"\0") + b"\n"
