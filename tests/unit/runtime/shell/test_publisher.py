"""A status that cannot be written is tried again, by one retry for all that changes meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from runit_provision.runtime.core.part import MAIN, Service
from runit_provision.runtime.shell.service.files import RefusedError
from runit_provision.runtime.shell.service.publisher import Publisher


class _Later:
    """Keeps what is to be done later."""

    def __init__(self) -> None:
        self.what: list[Callable[[], None]] = []

    def after(self, _seconds: float, what: Callable[[], None]) -> None:
        self.what.append(what)

    def comes(self) -> None:
        due, self.what = self.what, []
        for what in due:
            what()


class _Files:
    """A supervise/ on a disk that may be full."""

    def __init__(self) -> None:
        self.full = True
        self.tries = 0

    def publish(self, _status: object, *, left: bool) -> None:  # noqa: ARG002 - nothing is there
        self.tries += 1
        if self.full:
            raise RefusedError("unable to write supervise/stat.new: out of disk space")

    def open_ok(self) -> bool:
        return False

    def remove(self, _name: str) -> None:
        """There is none."""


def test_a_service_that_keeps_changing_on_a_full_disk_has_one_retry() -> None:
    """Each goes on for as long as the disk is full."""
    later, files = _Later(), _Files()
    said: list[str] = []
    tree = SimpleNamespace(loop=later, holders=SimpleNamespace(hold=lambda *_: None))
    owner: Any = SimpleNamespace(
        closed=False, leaving=False, files=files, log_files=None, service=Service(now=0), tree=tree, warn=said.append
    )
    publisher = Publisher(owner)
    for _change in range(5):
        publisher.changed(MAIN)
        publisher.flush()
    assert (files.tries, len(later.what)) == (5, 1)
    later.comes()
    assert (files.tries, len(later.what)) == (6, 1)
    files.full = False
    later.comes()
    assert (files.tries, len(later.what)) == (7, 0)
    assert said == ["unable to write supervise/stat.new: out of disk space"]
