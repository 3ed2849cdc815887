"""Whatever people write for the shell is read by it, and what it says stands with all other problems."""

from __future__ import annotations

import pytest
from support.world import ACCOUNTS, table_of

from runit_provision import schema
from runit_provision.errors import DataError

BAD = "#!/bin/sh\nif\n"


def test_every_text_that_the_shell_refuses_is_told_at_once_with_its_key() -> None:
    service = {
        "command": "if | prog",
        "before": "if",
        "finish": {"lines": "if"},
        "check": BAD,
        "control": {"t": BAD},
        "log": {"processor": "if"},
        "files": {"helper": BAD},
        "colour": "green",
    }
    data = table_of({"services": {"a": service, "b": {"run": BAD, "finish": BAD, "log": {"type": "script", "run": BAD}}}})
    with pytest.raises(DataError) as caught:
        schema.read_host(data, ACCOUNTS, shell=lambda text: "line 1: unexpected" if "if" in text else "")
    refused = {problem.key.removeprefix("runit.services.") for problem in caught.value.problems if "shell" in problem.message}
    assert refused == {
        *(f"a.{key}" for key in ("command", "before", "finish.lines", "check", "control.t", "log.processor", "files.helper")),
        *(f"b.{key}" for key in ("run", "finish", "log.run")),
    }
    assert len(caught.value.problems) == 11


def test_words_need_no_shell_to_read_them() -> None:
    asked: list[str] = []
    data = {"services": {"a": {"command": ["sh", "-c", "if"]}, "b": {"command": "prog --flag 'a b'"}}}

    def shell(text: str) -> str:
        asked.append(text)
        return ""

    schema.read_host(table_of(data), ACCOUNTS, shell=shell)
    assert asked == []
