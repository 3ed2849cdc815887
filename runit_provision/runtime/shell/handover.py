"""What a keeper or a pool does first that was executed in the place of one of another version: same process, same children.

The old one was told to by a supervisor of this version. What it knew it has left in a memory file (marshal: a dict of numbers, strings
and tuples), and its sockets and files are open still.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Known = dict[str, Any]


def leave(known: Known) -> int:
    """Write down what the next one has to know; give the memory file."""
    import marshal

    memory = os.memfd_create("handover", os.MFD_CLOEXEC)
    os.write(memory, marshal.dumps(known))
    return memory


def keeper(arguments: list[str]) -> None:
    """Be the keeper that the one before was; arguments[2]: the memory file."""
    import marshal

    from . import environment, keeper, parents
    from .call import Call
    from .state import State

    parents.default_signals()
    environment.restore()
    memory = int(arguments[2])
    known = marshal.loads(os.pread(memory, os.fstat(memory).st_size, 0))
    os.close(memory)
    path, directory, lock, table = known["state"]
    state = State(path, directory=directory, lock=lock, table=table)
    parents.show_keeper(known["call"][0])
    keeper.resume(state, Call(*known["call"]), known)
    os._exit(0)


def pool(arguments: list[str]) -> None:
    """Be the pool that the one before was; arguments[2:]: listening socket and journal."""
    from . import environment, keeper, parents, pool

    parents.default_signals()
    environment.restore()
    listener, journal = map(int, arguments[2:])
    for fd in (listener, journal):
        os.set_inheritable(fd, False)
    keeper.show_pool()
    pool.main(listener, journal)
