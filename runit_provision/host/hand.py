"""Hands that do things with the credentials of the account whose realm it is.

In the system's realm, and in the caller's own, the caller's hand does them here. For any other account a child is forked (see
nursery.py) that takes that account's groups, gid and uid for good before it opens anything below the base, and does there what it is
told through a pipe:

    request   4 bytes of length, then marshal((name, arguments))        to the child, which trusts its parent
    answer    4 bytes of length, then JSON                              from the child, which nobody has to trust

The child can be neither traced nor dumped, although it has the account's uid, dies with its parent, and holds the parent's lock until
then. The account may stop or kill it, or hang it with a filesystem of its own: an answer is waited for so long, then it is killed.
"""

from __future__ import annotations

import errno
import json
import marshal
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from runit_provision.host import files, letters, strays
from runit_provision.host.ground import Ground
from runit_provision.host.nursery import Nursery

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


def _batch(ground: Ground, calls: Sequence[Request]) -> tuple[list[Any], list[Any] | None]:
    answers, error = _in_turn(ground, calls)
    return answers, _plain(error) if error else None


def _plain(error: OSError) -> list[Any]:
    return [error.errno or errno.EIO, error.strerror or str(error), str(error.filename)]


_OPERATIONS: dict[str, Callable[..., Any]] = {
    **files.OPERATIONS,
    **letters.OPERATIONS,
    **strays.OPERATIONS,
    "batch": _batch,
}


class LentHand:
    """A child with another account's credentials. held: descriptors that it keeps open as long as it lives."""

    def __init__(
        self, ground: Ground, nursery: Nursery, *, uid: int, gid: int, groups: Sequence[int], held: Sequence[int] = ()
    ) -> None:
        self._base = ground.base
        self._nursery = nursery
        to_child, self._write = os.pipe()
        self._read, from_child = os.pipe()
        try:
            given = (to_child, from_child, ground.approach(), *held)
            self._number, self.pid = nursery.fork(base=self._base, uid=uid, gid=gid, groups=groups, descriptors=given)
        except OSError:
            os.close(self._write)
            os.close(self._read)
            raise
        finally:
            os.close(to_child)
            os.close(from_child)
            ground.close()
        os.set_blocking(self._write, False)
        os.set_blocking(self._read, False)

    def call(self, name: str, *arguments: Any, patience: float = PATIENCE) -> Any:
        deadline = time.monotonic() + patience
        request = marshal.dumps((name, arguments))
        try:
            self._send(len(request).to_bytes(4, "little") + request, deadline)
            size = int.from_bytes(self._receive(4, deadline), "little")
            answer = json.loads(self._receive(size, deadline))
        except (EOFError, BrokenPipeError):
            raise OSError(errno.ECANCELED, "the process that worked there was ended", self._base) from None
        except TimeoutError:
            self.kill()
            raise OSError(errno.ETIMEDOUT, f"nothing moved for {patience:g} s", self._base) from None
        if "error" in answer:
            number, message, path = answer["error"]
            raise OSError(int(number), str(message), str(path))
        return answer["value"]

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
        """End the child, whatever it does."""
        os.kill(self.pid, signal.SIGKILL)  # the pid stays its own until `close`

    def close(self) -> None:
        os.close(self._write)
        os.close(self._read)
        self._nursery.end(self._number)

    def _send(self, data: bytes, deadline: float) -> None:
        rest = memoryview(data)
        while rest:
            _ready(self._write, select.POLLOUT, deadline)
            rest = rest[os.write(self._write, rest) :]

    def _receive(self, size: int, deadline: float) -> bytes:
        parts = []
        while size:
            _ready(self._read, select.POLLIN, deadline)
            part = os.read(self._read, min(size, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _ready(descriptor: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError


def work(base: str, uid: int, descriptors: Sequence[int]) -> None:
    """Do in a child, which has the account's credentials, what the parent asks for, until it asks no more."""
    requests, answers, way, *_ = descriptors
    _serve(Ground(way, base, account=uid, way=way), requests, answers)


def _serve(ground: Ground, requests: int, answers: int) -> None:
    with os.fdopen(requests, "rb") as reader, os.fdopen(answers, "wb") as writer:
        while header := reader.read(4):
            name, arguments = marshal.loads(reader.read(int.from_bytes(header, "little")))
            try:
                answer: dict[str, Any] = {"value": _OPERATIONS[name](ground, *arguments)}
            except OSError as error:
                answer = {"error": _plain(error)}
            except Exception as error:  # a fault of ours is told to the parent, who knows which request it was
                answer = {"error": [errno.EIO, f"{name}: {error!r}", ground.base]}
            data = json.dumps(answer, default=_text).encode()
            writer.write(len(data).to_bytes(4, "little") + data)
            writer.flush()


def _text(value: object) -> str:
    """JSON knows no bytes: a content that is to be shown travels as latin-1."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    raise TypeError(type(value).__name__)
