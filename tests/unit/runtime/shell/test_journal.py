"""The pool's journal: which log's what is left of one is, among thousands."""

from __future__ import annotations

import fcntl
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from runit_provision.runtime.shell.pool.extents import Entry
from runit_provision.runtime.shell.pool.journal import Journal

LOGS = 2000
_NOWHERE = (0, 0)
OWNER = 5


class Journals:
    """One journal after the other over the same file, as pools have it that follow each other."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.said: list[bytes] = []
        self.descriptor = -1

    def next(self) -> Journal:
        """The one before is gone with its pool."""
        self.close()
        self.descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        return Journal(self.descriptor, self.said.append)

    def close(self) -> None:
        if self.descriptor >= 0:
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)  # which the mapped memory of one that is not gone yet would hold
            os.close(self.descriptor)


@pytest.fixture
def journals(tmp_path: Path) -> Iterator[Journals]:
    journals = Journals(tmp_path / "journal")
    yield journals
    journals.close()
    assert journals.said == []


@pytest.mark.parametrize("order", ["as they were", "backwards", "any"])
def test_each_of_thousands_of_logs_is_found_by_looking_at_a_few(
    journals: Journals, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    """All writers share one lock for it; thousands of logs are taken up again one by one, in whatever order they come."""
    identities = [(7, 3 * number + 10, 9, number + 5) for number in range(LOGS)]
    before = journals.next()
    for identity in identities:
        before.new_entry(identity, OWNER)
    after = journals.next()
    match order:
        case "backwards":
            identities.reverse()
        case "any":
            random.Random(LOGS).shuffle(identities)
    looks = 0
    look = vars(Entry)["identity"]

    def counted(entry: Entry) -> tuple[int, ...]:
        nonlocal looks
        looks += 1
        return tuple(look.__get__(entry))

    with monkeypatch.context() as patch:
        patch.setattr(Entry, "identity", property(counted))
        taken = []
        for identity in identities:
            assert after.knows(identity[:2])
            taken.append(after.take(identity, OWNER))
    assert [found and found[0].identity for found in taken] == identities
    assert looks < 40 * LOGS


def test_what_is_left_of_a_log_is_given_once_by_its_directory_or_its_fifo(journals: Journals) -> None:
    before = journals.next()
    for identity in ((7, 20, 9, 1), (7, 10, 9, 2), (*_NOWHERE, 9, 4), (*_NOWHERE, 9, 3), (7, 15, 9, 5)):
        before.new_entry(identity, OWNER)
    after = journals.next()
    assert not after.knows((7, 11))
    assert after.take((7, 11, 9, 6), OWNER) is None
    for known in ((7, 10, 9, 2), (7, 20, 8, 8)):
        taken = after.take(known, OWNER)
        assert taken is not None
        assert taken[0].identity[:2] == known[:2]
        assert after.take(known, OWNER) is None
    for number in (3, 4, 5):
        elsewhere = (7, 30, 9, number)
        assert after.take(elsewhere, OWNER + 1) is None
        taken = after.take(elsewhere, OWNER)
        assert taken is not None
        assert taken[0].identity[2:] == (9, number)
        assert after.take(elsewhere, OWNER) is None


def test_what_was_given_back_is_found_where_it_belongs_by_now(journals: Journals) -> None:
    before = journals.next()
    for number in (3, 1, 2):
        before.new_entry((7, number, 9, number), OWNER)
    after = journals.next()
    taken = after.take((7, 1, 9, 1), OWNER)
    assert taken is not None
    entry, slot = taken
    assert not after.knows((7, 1))
    entry.identity = (8, 1, 9, 1)
    after.give_back(entry, slot)
    assert not after.knows((7, 1))
    assert after.knows((8, 1))
    assert after.take((7, 3, 9, 3), OWNER) is not None
    assert after.take((8, 1, 9, 1), OWNER) == (entry, None)
