"""runsvdir [-P] DIR [LOG]; runsvdir(8)."""

from __future__ import annotations

import os

from ..shell import environment, process, report, state
from ..shell.supervisor import runsvdir
from ..shell.supervisor.call import Call

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
    process.default_signals()
    report.outlive_readers()
    environment.restore()
    path = os.path.abspath(arguments[0])
    refusal = ""
    try:
        memory = state.open_state("trees", state.key(path))
    except state.NowhereError as error:
        refusal = f"services will end with this process: {error}"
        memory = state.without_directory()
    memory = runsvdir.find_tree(path, arguments[0], memory)
    if refusal and memory.directory < 0:
        report.write_to_stderr(report.encoded(f"runsvdir {arguments[0]}: warning: {refusal}\n"))
    log = arguments[1] if len(arguments) > 1 else None
    return runsvdir.supervise(Call(path, arguments[0], new_session, log), memory)
