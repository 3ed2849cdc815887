"""Readers: few processes that look at the realms of many accounts, one after the other, with the credentials of each.

A child for every account, as hand.py has it for what changes something, costs more than what is read there. A reader stays root at
heart (its real and saved ids), which is why an account can neither stop nor kill nor trace it, and takes the effective uid, gid and all
groups of one account before it opens that account's base: what the account may not read, the kernel refuses. It changes nothing, keeps
no descriptor from one account to the next, and runs nothing that an account wrote.

An account can hang it with a filesystem of its own. Answers come one by one, so it is known in whose realm that was: it is killed, the
realm is told of, and another reader goes on behind it.
"""

from __future__ import annotations

import errno
import os
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from runit_provision.host import channel
from runit_provision.host.ground import Ground
from runit_provision.host.hand import Request, batch
from runit_provision.host.nursery import Credentials, Nursery

READER = "reader"
"""What the nursery knows this work by."""
_CHUNK = 32
"""Errands in one request."""
_MOST = 4
"""Readers at a time, one for each processor."""

Found = list[Any] | OSError
"""The answers to an errand's calls, or what went wrong."""


class Errand(NamedTuple):
    """What is to be looked at in the realm below `base`, and with which credentials; calls: see hand.py, none that changes anything."""

    base: str
    account: Credentials
    calls: Sequence[Request]


def ask(nursery: Nursery, root: int, errands: Sequence[Errand], *, patience: channel.Patience) -> Generator[Found, None, None]:
    """Give what each errand comes to, in order. root: a descriptor of the directory that `/` means. patience: for each."""
    chunks = deque(deque(errands[start : start + _CHUNK]) for start in range(0, len(errands), _CHUNK))
    busy = deque(
        (_Reader(nursery, root, patience), chunks.popleft()) for _ in range(min(len(chunks), _MOST, len(os.sched_getaffinity(0))))
    )
    try:
        for reader, chunk in busy:
            reader.send(chunk)
        while busy:
            reader, chunk = busy[0]
            while chunk:
                base = chunk.popleft().base
                found = reader.answer(base)
                if reader.lost:
                    reader.close()
                    reader = _Reader(nursery, root, patience)
                    busy[0] = (reader, chunk)
                    reader.send(chunk)
                yield found
            busy.popleft()
            if chunks:
                busy.append((reader, chunks.popleft()))
                reader.send(busy[-1][1])
            else:
                reader.close()
    finally:
        for reader, _ in busy:
            reader.close()


class _Reader:
    """One of them. lost: it was ended, or has to be."""

    def __init__(self, nursery: Nursery, root: int, patience: channel.Patience) -> None:
        self._nursery = nursery
        self._patience = patience
        self._channel = channel.Channel()
        self.lost = False
        try:
            self._number, _ = nursery.fork(READER, "", (*self._channel.theirs, root))
        except OSError:
            self._channel.close()
            raise
        finally:
            self._channel.hand_over()

    def send(self, errands: Sequence[Errand]) -> None:
        try:
            self._channel.ask([tuple(errand) for errand in errands], time.monotonic() + self._patience.seconds)
        except (BrokenPipeError, TimeoutError):
            self.lost = True

    def answer(self, base: str) -> Found:
        seconds = self._patience.seconds
        try:
            answers, error = self._channel.answer(time.monotonic() + seconds)
        except EOFError:
            self.lost = True
            return OSError(errno.ECANCELED, "the process that looked there was ended", base)
        except TimeoutError:
            self.lost = True
            self._patience.lose(seconds)
            return OSError(errno.ETIMEDOUT, f"nothing moved for {seconds:g} s", base)
        except OSError as error:
            return error
        return OSError(*error) if error else list(answers)

    def close(self) -> None:
        self._channel.close()
        self._nursery.end(self._number)


def work(_: str, descriptors: Sequence[int]) -> None:
    """Look, in a child, where the parent asks for it, until it asks no more."""
    requests, answers, root = descriptors

    def look(errands: Sequence[tuple[Any, ...]]) -> Iterator[tuple[str, channel.Served]]:
        for base, account, calls in errands:
            yield base, channel.served(partial(_look, root, base, account, calls), "look", base)

    channel.serve(requests, answers, look)


def _look(root: int, base: str, account: Credentials, calls: Sequence[Request]) -> tuple[list[Any], list[Any] | None]:
    ground = Ground(root, base, account=account[0])
    try:
        ground.approach()  # what lies above a base only root may be able to pass
        with acting_as(account):
            return batch(ground, calls)
    finally:
        ground.close()


@contextmanager
def acting_as(account: Credentials) -> Iterator[None]:
    """Have the effective credentials of `account`; any doubt ends in an error before anything is looked at."""
    uid, gid, groups = account
    os.setgroups(groups)
    os.setresgid(-1, gid, -1)
    os.setresuid(-1, uid, -1)
    try:
        if (os.geteuid(), os.getegid()) != (uid, gid):
            raise OSError(errno.EPERM, "credentials")
        yield
    finally:
        os.setresuid(-1, 0, -1)
        os.setresgid(-1, 0, -1)
        os.setgroups(())
