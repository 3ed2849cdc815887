"""A log directory that is open: what it has in common with others, of which a pool has thousands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runit_provision.runtime.shell.logs.directory import Log
from runit_provision.runtime.shell.logs.place import Place


class _Logs:
    def __init__(self, top: Path) -> None:
        self._top = top
        self.open: list[Log] = []

    def add(self, name: str, config: str) -> Log:
        """Give an open log with this config."""
        directory = self._top / name
        directory.mkdir()
        (directory / "config").write_text(config)
        log = Log(Place(bytes(directory)), limit=1000, verbose=False, say=lambda _text: None)
        self.open.append(log)
        list(log.open())
        assert log.is_open
        return log


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[_Logs]:
    """Give log directories that are closed at the end."""
    made = _Logs(tmp_path)
    yield made
    for log in made.open:
        log.close_now()


def test_logs_whose_configs_say_the_same_have_one(logs: _Logs) -> None:
    assert logs.add("one", "s2000\nn5\n").config is logs.add("two", "n5\ns2000\n").config


def test_a_config_that_says_something_else_is_another(logs: _Logs) -> None:
    assert logs.add("one", "s2000\n").config != logs.add("two", "s3000\n").config


def test_another_processor_for_one_log_is_none_for_the_others(logs: _Logs, tmp_path: Path) -> None:
    one, two = logs.add("one", "!gzip\n"), logs.add("two", "!gzip\n")
    (tmp_path / "one/config").write_text("!xz\n")
    one.reread_processor()
    assert (one.config.processor, two.config.processor) == (b"xz", b"gzip")
