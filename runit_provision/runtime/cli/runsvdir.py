"""runsvdir [-P] DIR [LOG]; runsvdir(8)."""

from __future__ import annotations

import os

from ..shell import environment, process, report, state
from ..shell.console import occupy_standard_streams
from ..shell.supervisor import runsvdir
from ..shell.supervisor.call import Call
from ..wire import errors

USAGE = " [-P] dir"


def main(argv: list[str]) -> int:
    """Supervise DIR; gives the exit status: 0 after TERM, 111 after HUP, 100 when it cannot begin, 1 for wrong usage."""
    arguments = argv[1:]
    new_session = False
    if arguments and arguments[0].startswith("-"):
        new_session = arguments[0].startswith("-P")
        if arguments[0][1:2] in {"P", "-"}:
            arguments = arguments[1:]
    # An empty name, which would be the current directory made absolute, is a variable that was not set.
    if not arguments or not arguments[0]:
        os.write(2, f"usage: {argv[0]}{USAGE}\n\n".encode())
        return 1
    process.close_inherited()
    occupy_standard_streams(for_all=True)
    process.default_signals()
    report.outlive_readers()
    environment.restore()
    try:
        path = _absolute(arguments[0])
    except OSError as error:
        complaint = f"runsvdir {arguments[0]}: fatal: unable to tell where that is: {errors.words(error)}\n"
        report.write_to_stderr(report.encoded(complaint))
        return 100
    refusal = ""
    try:
        memory = state.open_state(state.TREES, state.key(path))
    except state.NowhereError as error:
        refusal = f"services will end with this process: {error}"
        memory = state.without_directory()
    memory = runsvdir.find_tree(path, arguments[0], memory)
    if refusal and memory.directory < 0:
        report.write_to_stderr(report.encoded(f"runsvdir {arguments[0]}: warning: {refusal}\n"))
    log = arguments[1] if len(arguments) > 1 else None
    return runsvdir.supervise(Call(path, arguments[0], new_session, log), memory)


def _absolute(path: str) -> str:
    """Give the path from the root on. What `..` leads out of may be a link, so all before it is resolved; other links may change."""
    pieces = path.split("/")
    if ".." in pieces:
        behind = len(pieces) - pieces[::-1].index("..")
        pieces = [os.path.realpath("/".join(pieces[:behind])), *pieces[behind:]]
    return os.path.abspath("/".join(pieces).replace("//", "/"))
