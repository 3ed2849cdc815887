"""What a keeper or a pool does first that was executed in the place of one of another version: same process, same children.

The old one was told to by a supervisor of this version. What it knew it has left in a memory file (marshal: a dict of numbers, strings
and tuples), and its sockets and files are open still.
"""

from __future__ import annotations

import os


def keeper(arguments: list[str]) -> None:
    """Be the keeper that the one before was; arguments[2]: the memory file."""
    import marshal

    from . import environment, process
    from .keeper import keeper
    from .state import State
    from .supervisor.call import Call

    process.default_signals()
    environment.restore()
    memory = int(arguments[2])
    known = marshal.loads(os.pread(memory, os.fstat(memory).st_size, 0))
    os.close(memory)
    path, directory, lock, table = known["state"]
    state = State(path, directory=directory, lock=lock, table=table)
    keeper.show(known["call"][0])
    keeper.resume(state, Call(*known["call"]), known)
    os._exit(0)


def pool(arguments: list[str]) -> None:
    """Be the pool that the one before was; arguments[2:]: listening socket and journal."""
    from . import environment, process
    from .pool import pool

    process.default_signals()
    environment.restore()
    listener, journal = map(int, arguments[2:])
    for fd in (listener, journal):
        os.set_inheritable(fd, False)
    pool.show(os.geteuid())
    pool.main(listener, journal)
