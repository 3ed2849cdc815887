"""Messages to a process that works with another account's credentials, and back, through two pipes.

    request   4 bytes of length, then marshal                  to the child, which trusts its parent
    answer    4 bytes of length, then JSON                     from the child, which nobody has to trust

The child may be stopped, killed, or hang in a filesystem of the account's own: the parent waits for every byte until a deadline only.
What an account put into its home may be as large as its disk: an answer longer than LARGEST is an error, in the child already.
"""

from __future__ import annotations

import errno
import json
import marshal
import os
import select
import time
from collections.abc import Callable, Iterator
from typing import Any

LARGEST = 32 << 20
"""Bytes of an answer; a look at ten thousand services takes some ten million."""
Served = dict[str, Any]
"""An answer: its `value`, or its `error` (errno, message, path)."""


class Patience:
    """How long one who may hang is waited for: `usual` seconds; once two have cost that much, all others get a twelfth of it.

    So who hangs costs those who come after him little, however many of his kind there are.
    """

    def __init__(self, usual: float = 60.0) -> None:
        self._usual = usual
        self._left = 2 * usual

    @property
    def seconds(self) -> float:
        """For how long to wait now."""
        return min(self._usual, max(self._usual / 12, self._left))

    def lose(self, seconds: float) -> None:
        """Count seconds that were waited in vain."""
        self._left -= seconds


class Channel:
    """The parent's end. theirs: the descriptors that the child gets; to be closed here by `hand_over`."""

    def __init__(self) -> None:
        to_child, self._write = os.pipe()
        self._read, from_child = os.pipe()
        self.theirs = (to_child, from_child)
        os.set_blocking(self._write, False)
        os.set_blocking(self._read, False)

    def hand_over(self) -> None:
        """Close the child's end here: it has it, or will never have it."""
        for descriptor in self.theirs:
            os.close(descriptor)

    def close(self) -> None:
        """Close the parent's end."""
        os.close(self._write)
        os.close(self._read)

    def ask(self, request: Any, deadline: float) -> None:
        """Send a request; TimeoutError when it is not taken until `deadline` (monotonic), BrokenPipeError if it is gone."""
        data = marshal.dumps(request)
        rest = memoryview(len(data).to_bytes(4, "little") + data)
        while rest:
            _ready(self._write, select.POLLOUT, deadline)
            rest = rest[os.write(self._write, rest) :]

    def answer(self, deadline: float) -> Any:
        """Give the next answer's value; OSError that it tells of, TimeoutError, or EOFError when the child is gone, or has to go."""
        size = int.from_bytes(self._receive(4, deadline), "little")
        if size > LARGEST:
            raise EOFError  # no answer of ours
        served = json.loads(self._receive(size, deadline))
        if "error" in served:
            number, message, path = served["error"]
            raise OSError(int(number), str(message), str(path))
        return served["value"]

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


def serve(requests: int, answers: int, work: Callable[[Any], Iterator[tuple[str, Served]]]) -> None:
    """Answer in a child, until the parent asks no more; `work` gives the answers to one request, each with the base it is about."""
    with os.fdopen(requests, "rb") as reader, os.fdopen(answers, "wb") as writer:
        while header := reader.read(4):
            for base, served in work(marshal.loads(reader.read(int.from_bytes(header, "little")))):
                data = _encoded(served, base)
                writer.write(len(data).to_bytes(4, "little") + data)
            writer.flush()


def served(work: Callable[[], Any], name: str, base: str) -> Served:
    """Give the answer that `work` comes to; what fails there is told to the parent, who knows which request it was."""
    try:
        return {"value": work()}
    except OSError as error:
        return {"error": plain(error)}
    except MemoryError:
        return _too_much(base)
    except Exception as error:  # a fault of ours
        return {"error": [errno.EIO, f"{name}: {error!r}", base]}


def plain(error: OSError) -> list[Any]:
    """Give an error as plain values."""
    return [error.errno or errno.EIO, error.strerror or str(error), str(error.filename)]


def _encoded(served: Served, base: str) -> bytes:
    # A name that is no UTF-8 is a string with half surrogate pairs, which JSON's reader takes from UTF-8 as well.
    try:
        data = json.dumps(served, default=_text, ensure_ascii=False).encode("utf-8", "surrogatepass")
    except MemoryError:
        return _encoded(_too_much(base), base)
    return data if len(data) <= LARGEST else _encoded(_too_much(base), base)


def _too_much(base: str) -> Served:
    return {"error": [errno.EMSGSIZE, "there is too much in it to be looked at", base]}


def _text(value: object) -> str:
    """JSON knows no bytes: a content that is to be shown travels as latin-1."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    raise TypeError(type(value).__name__)
