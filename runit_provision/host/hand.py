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

from runit_provision.host import channel, files, kept, letters, looks, skeleton, strays
from runit_provision.host.ground import Ground
from runit_provision.host.nursery import Credentials, Nursery

HAND = "hand"
"""What the nursery knows this work by."""
_BATCH = 64
"""Calls in one request, so that a slow disk is not taken for a hung child."""
_HEAVY = 8 << 20
"""Bytes of arguments in one request that asks for more than one call."""

Request = tuple[str, tuple[Any, ...]]
"""The name of an operation, and its arguments."""


class Hand(Protocol):
    """What works in one realm."""

    def call(self, name: str, *arguments: Any, patience: float | None = None) -> Any:
        """Do the operation `name` of files.py or letters.py; OSError with the path when it fails.

        patience: seconds that it may take, where it is known to take longer than others.
        """

    def batch(self, calls: Sequence[Request]) -> tuple[list[Any], OSError | None]:
        """Do `calls` one after the other up to the first that fails; give the answers until then, and its error."""

    def close(self) -> None:
        """End it."""


class OwnHand:
    """The caller's own hand."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def call(self, name: str, *arguments: Any, patience: float | None = None) -> Any:  # noqa: ARG002
        return _do(self._ground, name, arguments)

    def batch(self, calls: Sequence[Request]) -> tuple[list[Any], OSError | None]:
        return _in_turn(self._ground, calls)

    def close(self) -> None:
        self._ground.close()


def _in_turn(ground: Ground, calls: Sequence[Request]) -> tuple[list[Any], OSError | None]:
    answers = []
    for name, arguments in calls:
        try:
            answers.append(_do(ground, name, arguments))
        except OSError as error:
            return answers, error
    return answers, None


def batch(ground: Ground, calls: Sequence[Request]) -> tuple[list[Any], list[Any] | None]:
    """Do `calls` up to the first that fails; give the answers until then, and its error as plain values."""
    answers, error = _in_turn(ground, calls)
    return answers, channel.plain(error) if error else None


_OPERATIONS: dict[str, Callable[..., Any]] = {
    **looks.OPERATIONS,
    **files.OPERATIONS,
    **kept.OPERATIONS,
    **letters.OPERATIONS,
    **strays.OPERATIONS,
    **skeleton.OPERATIONS,
    "batch": batch,
}
_LOOKING = frozenset(("look", "exists", "leads", "devices", "stored", "lives", "looked_into", "strays", "wait", "send", "batch"))
"""What changes nothing below the base itself."""


def _do(ground: Ground, name: str, arguments: Sequence[Any]) -> Any:
    if name not in _LOOKING:
        ground.claim(files.STORE)
    return _OPERATIONS[name](ground, *arguments)


class LentHand:
    """A child with another account's credentials. held: descriptors that it keeps open as long as it lives."""

    def __init__(
        self, ground: Ground, nursery: Nursery, account: Credentials, *, patience: channel.Patience, held: Sequence[int] = ()
    ) -> None:
        self._patience = patience
        self._base = ground.base
        self._nursery = nursery
        self._channel = channel.Channel()
        self._lost: OSError | None = None
        try:
            given = (*self._channel.theirs, ground.approach(), *held)
            self._number, self.pid = nursery.fork(HAND, self._base, given, become=account)
        except OSError:
            self._channel.close()
            raise
        finally:
            self._channel.hand_over()
            ground.close()

    def call(self, name: str, *arguments: Any, patience: float | None = None) -> Any:
        if self._lost:
            raise OSError(self._lost.errno, self._lost.strerror, self._base)
        seconds = patience or self._patience.seconds
        deadline = time.monotonic() + seconds
        try:
            self._channel.ask((name, arguments), deadline)
            return self._channel.answer(deadline)
        except (EOFError, BrokenPipeError):
            lost = OSError(errno.ECANCELED, "the process that worked there was ended", self._base)
        except TimeoutError:
            self._patience.lose(seconds)
            lost = OSError(errno.ETIMEDOUT, f"nothing moved for {seconds:g} s", self._base)
        self._kill(lost)
        raise lost

    def batch(self, calls: Sequence[Request]) -> tuple[list[Any], OSError | None]:
        answers: list[Any] = []
        for some in _batches(calls):
            try:
                found, error = self.call("batch", some)
            except OSError as lost:
                return answers, lost
            answers += found
            if error:
                return answers, OSError(*error)
        return answers, None

    def _kill(self, lost: OSError) -> None:
        """End the child, whatever it does; one that hangs in its account's filesystem may stay, but is asked no more."""
        self._lost = lost
        os.kill(self.pid, signal.SIGKILL)  # the pid stays its own until `close`

    def close(self) -> None:
        self._channel.close()
        self._nursery.end(self._number)


def _batches(calls: Sequence[Request]) -> Iterator[list[Request]]:
    """Split calls so that none asks for too much at a time."""
    some: list[Request] = []
    weight = 0
    for call in calls:
        heavy = sum(len(argument) for argument in call[1] if isinstance(argument, bytes))
        if some and (len(some) == _BATCH or weight + heavy > _HEAVY):
            yield some
            some, weight = [], 0
        some.append(call)
        weight += heavy
    if some:
        yield some


def work(base: str, descriptors: Sequence[int]) -> None:
    """Do in a child, which has the account's credentials, what the parent asks for, until it asks no more."""
    requests, answers, way, *_ = descriptors
    ground = Ground(way, base, account=os.getuid(), way=way)

    def answer(request: tuple[str, Sequence[Any]]) -> Iterator[tuple[str, channel.Served]]:
        name, arguments = request
        yield ground.base, channel.served(partial(_do, ground, name, arguments), name, ground.base)

    channel.serve(requests, answers, answer)
