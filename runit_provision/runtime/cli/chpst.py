"""chpst: run a program with a changed process state; chpst(8). By another name, daemontools' program of that name."""

from __future__ import annotations

from ..core import chpst as core
from ..shell.console import encode, end_on_interrupt, write
from ..shell.tools import chpst as shell


def main(argv: list[str]) -> int:
    """Become the program, or give the exit status that chpst(8) has for the failure."""
    end_on_interrupt()
    try:
        shell.run(core.parse([encode(word) for word in argv] or [b"chpst"]))
    except core.UsageError as error:
        write(2, error.text)
        return 100
    except shell.Fatal as error:
        write(2, error.text)
        return 111
    return 0
