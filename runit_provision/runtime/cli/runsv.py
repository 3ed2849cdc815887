"""runsv DIR; runsv(8)."""

from __future__ import annotations

import os

from ..shell import environment, process, report, state, title
from ..shell.console import occupy_standard_streams
from ..shell.supervisor import runsv
from ..wire import errors


def main(argv: list[str]) -> int:
    """Supervise one service; gives the exit status: 0 when it was told to exit, 111 when it cannot begin, 1 for wrong usage."""
    if len(argv) != 2:
        os.write(2, f"usage: {argv[0]} dir\n\n".encode())
        return 1
    path = argv[1]
    occupy_standard_streams(for_all=True)
    process.default_signals()
    report.outlive_readers()
    environment.restore()
    try:
        name = runsv.enter(path)
    except OSError as error:
        reason = errors.text(error.errno or 0)
        os.write(2, b"runsv %s: fatal: unable to change to directory: %s\n" % (os.fsencode(path), reason))
        return runsv.EXIT_FATAL
    try:
        memory = state.open_state(state.SERVICES, name)
    except state.NowhereError as error:
        complaint = f"runsv {path}: warning: the next runsv will not adopt this service: {error}\n"
        report.write_to_stderr(report.encoded(complaint))
        memory = state.without_directory()
    title.Title().show([b"runsv", os.fsencode(path)])
    return runsv.supervise(path, memory)
