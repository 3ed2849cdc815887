"""What is taken for right without asking a shell is right to every shell."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support import oracle

from runit_provision.schema.plain_shell import is_plain

PIECES = (
    *("prog", "echo", "A=b", "if", "then", "fi", "do", "done", "case", "in", "esac", "{", "}", "!", "time", "[", "]", "a[", "a.b", "2"),
    *(" ", " ", " ", "\t", "\n", "\n", "&&", "||", "|", ";", ";;", "&", "(", ")", "<", ">", ">>", "2>&1", ">/dev/null", "<<EOF"),
    *("#", "# x", "'", '"', "'a b'", '"$A ${B}"', "$A", "${A}", "${", "$", "$1", "$(", "`", "\\", "\\\n", "*", "~", "=", "=("),
    *("function", "for", "-x"),
)
texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@settings(max_examples=10, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.lists(texts, min_size=100, max_size=150))
@pytest.mark.parametrize("shell", ["sh", "bash --posix", "busybox sh"])
def test_plain_lines_are_read_by_every_shell(shell: str, drawn: list[str]) -> None:
    """The shell names the line that it cannot read: nothing smaller need be looked for."""
    program, *words = shell.split()
    found = oracle.program(program, package=program)
    script = "".join(f"{{ :; {text}\n}}\n" for text in drawn if is_plain(text))
    done = subprocess.run([found, *words, "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), script


@pytest.mark.parametrize(
    "text",
    ["install -d -m 0755 /run/worker", "rm -f \"$A/x\" 'b c' 2>/dev/null || exit 1\n# a word\nA=b prog | cat >>/tmp/x; true", ""],
)
def test_what_people_mostly_write_is_plain(text: str) -> None:
    assert is_plain(text)
