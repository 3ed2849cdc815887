"""Hands that do things with the credentials of the account whose realm it is.

In the system's realm, and in the caller's own, the caller's hand does them here. For any other account a child is forked (see
nursery.py) that takes that account's groups, gid and uid for good before it opens anything below the base, and does there what it is
told through a channel (see channel.py): a name and arguments are marshalled, an answer's value is what the operation gave.

The child can be neither traced nor dumped, although it has the account's uid, dies with its parent, and holds the parent's lock until
then. The account may stop or kill it, or hang it with a filesystem of its own: an answer is waited for so long, then it is killed.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

from runit_provision.host import channel, files, letters, strays
from runit_provision.host.ground import Ground
from runit_provision.host.nursery import Credentials, Nursery

HAND = "hand"
"""What the nursery knows this work by."""
PATIENCE = 60.0
"""Seconds that one request may take in a child before it counts as hung."""

_BATCH = 64
"""Calls in one request, so that a slow disk is not taken for a hung child."""

Request = tuple[str, tuple[Any, ...]]
"""The name of an operation, and its arguments."""


class Hand(Protocol):
    """What works in one realm."""

    def call(self, name: str, *arguments: Any, patience: float = PATIENCE) -> Any:
        """Do the operation `name` of files.py or letters.py; OSError with the path when it fails.

        patience: seconds, beside what the operation itself may wait.
        """

    def batch(self, calls: Sequence[Request]) -> tuple[list[Any], OSError | None]:
        """Do `calls` one after the other up to the first that fails; give the answers until then, and its error."""

    def close(self) -> None:
        """End it."""


class OwnHand:
    """The caller's own hand."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def call(self, name: str, *arguments: Any, patience: float = PATIENCE) -> Any:  # noqa: ARG002
        return _OPERATIONS[name](self._ground, *arguments)

    def batch(self, calls: Sequence[Request]) -> tuple[list[Any], OSError | None]:
        return _in_turn(self._ground, calls)

    def close(self) -> None:
        self._ground.close()


def _in_turn(ground: Ground, calls: Sequence[Request]) -> tuple[list[Any], OSError | None]:
    answers = []
    for name, arguments in calls:
        try:
            answers.append(_OPERATIONS[name](ground, *arguments))
        except OSError as error:
            return answers, error
    return answers, None


def batch(ground: Ground, calls: Sequence[Request]) -> tuple[list[Any], list[Any] | None]:
    """Do `calls` up to the first that fails; give the answers until then, and its error as plain values."""
    answers, error = _in_turn(ground, calls)
    return answers, channel.plain(error) if error else None


_OPERATIONS: dict[str, Callable[..., Any]] = {
    **files.OPERATIONS,
    **letters.OPERATIONS,
    **strays.OPERATIONS,
    "batch": batch,
}


class LentHand:
    """A child with another account's credentials. held: descriptors that it keeps open as long as it lives."""

    def __init__(self, ground: Ground, nursery: Nursery, account: Credentials, *, held: Sequence[int] = ()) -> None:
        self._base = ground.base
        self._nursery = nursery
        self._channel = channel.Channel()
        self._lost = False
        try:
            given = (*self._channel.theirs, ground.approach(), *held)
            self._number, self.pid = nursery.fork(HAND, self._base, given, become=account)
        except OSError:
            self._channel.close()
            raise
        finally:
            self._channel.hand_over()
            ground.close()

    def call(self, name: str, *arguments: Any, patience: float = PATIENCE) -> Any:
        if self._lost:
            raise OSError(errno.ECANCELED, "the process that worked there was ended", self._base)
        deadline = time.monotonic() + patience
        try:
            self._channel.ask((name, arguments), deadline)
            return self._channel.answer(deadline)
        except (EOFError, BrokenPipeError):
            raise OSError(errno.ECANCELED, "the process that worked there was ended", self._base) from None
        except TimeoutError:
            self.kill()
            raise OSError(errno.ETIMEDOUT, f"nothing moved for {patience:g} s", self._base) from None

    def batch(self, calls: Sequence[Request]) -> tuple[list[Any], OSError | None]:
        answers: list[Any] = []
        for start in range(0, len(calls), _BATCH):
            try:
                found, error = self.call("batch", calls[start : start + _BATCH])
            except OSError as lost:
                return answers, lost
            answers += found
            if error:
                return answers, OSError(*error)
        return answers, None

    def kill(self) -> None:
        """End the child, whatever it does; one that hangs in its account's filesystem may stay, but is asked no more."""
        self._lost = True
        os.kill(self.pid, signal.SIGKILL)  # the pid stays its own until `close`

    def close(self) -> None:
        self._channel.close()
        self._nursery.end(self._number)


def work(base: str, descriptors: Sequence[int]) -> None:
    """Do in a child, which has the account's credentials, what the parent asks for, until it asks no more."""
    requests, answers, way, *_ = descriptors
    ground = Ground(way, base, account=os.getuid(), way=way)

    def answer(request: tuple[str, Sequence[Any]]) -> Iterator[channel.Served]:
        name, arguments = request
        yield channel.served(partial(_OPERATIONS[name], ground, *arguments), name, ground.base)

    channel.serve(requests, answers, answer)
