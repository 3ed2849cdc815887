"""What stands behind `exec`; chpst(8)."""

from __future__ import annotations

import pytest

from runit_provision.model.account import Account
from runit_provision.model.process import Credentials, Limits, Lock, Process, Stream, Variable
from runit_provision.model.run import Argv, CommandLine, Run, Scan
from runit_provision.render.commands import command

APP = Account("app", 999, 998, "app", "/srv/app")


def line(run: Run, process: Process | None = None) -> str:
    return command(run, process or Process(), environment_directory="./env")


def test_a_process_as_inherited_needs_no_chpst() -> None:
    assert line(Argv(("prog", "two words"))) == "prog 'two words'"


@pytest.mark.parametrize(
    ("process", "options"),
    [
        (Process(credentials=Credentials(APP)), "-u app"),
        (Process(credentials=Credentials(APP, "adm")), "-u app:adm"),
        (Process(credentials=Credentials(APP, None, ("audio", "video"))), "-u app:app:audio:video"),
        (Process(credentials=Credentials(APP), root="/jail"), "-u :999:998 -/ /jail"),
        (Process(environment=(Variable("A", "b"),)), "-e ./env"),
        (Process(nice=-5), "-n -5"),
        (Process(limits=Limits(files=1024, memory=1 << 20)), "-m 1048576 -o 1024"),
        (Process(lock=Lock("/run/lock/x")), "-l /run/lock/x"),
        (Process(lock=Lock("/run/lock/x", wait=False)), "-L /run/lock/x"),
        (Process(own_session=True, closed=(Stream.INPUT, Stream.ERROR), argv0="other name"), "-P -0 -2 -b 'other name'"),
    ],
)
def test_each_part_of_the_state_is_one_option_of_one_chpst(process: Process, options: str) -> None:
    assert line(Argv(("prog",)), process) == f"chpst {options} prog"


def test_a_variable_that_a_file_cannot_hold_asks_for_no_env_directory() -> None:
    assert line(Argv(("prog",)), Process(environment=(Variable("A", "blank "),))) == "prog"


def test_the_stack_is_limited_by_softlimit_before_credentials_are_dropped() -> None:
    process = Process(credentials=Credentials(APP), limits=Limits(stack=4096))
    assert line(Argv(("prog",)), process) == "softlimit -s 4096 chpst -u app prog"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('prog --home "$HOME" 2>/dev/null', 'prog --home "$HOME" 2>/dev/null'),
        ("exec prog", "prog"),
        ("a | b", "sh -c 'a | b'"),
        ("a && b", "sh -c 'a && b'"),
        ("A=1 prog", "sh -c 'A=1 prog'"),
        ("cd /srv", "sh -c 'cd /srv'"),
        ("a; b $c", 'sh -c "a; b \\$c"'),
        ("a\nb", "sh -c 'a\nb'"),
        ("prog 'a | b'", "prog 'a | b'"),
        ("exec 3</etc/motd\nhead -1 <&3", "sh -c 'exec 3</etc/motd\nhead -1 <&3'"),
        ("exec 2>/dev/null; prog", "sh -c 'exec 2>/dev/null; prog'"),
        ("exec prog || other", "sh -c 'exec prog || other'"),
        ("exec -a name prog", "sh -c 'exec -a name prog'"),
        ("exit 3", "sh -c 'exit 3'"),
        ("command prog", "sh -c 'command prog'"),
    ],
)
def test_a_line_is_executed_itself_unless_it_takes_a_shell(text: str, written: str) -> None:
    assert line(CommandLine(text)) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('prog --home "$HOME"', 'sh -c "exec prog --home \\"\\$HOME\\""'),
        ("exec prog >out", "sh -c 'exec prog >out'"),
        ("prog *.conf ~/x", "sh -c 'exec prog *.conf ~/x'"),
        ("a && b", "sh -c 'a && b'"),
        ("prog 'a | b' -x", "prog 'a | b' -x"),
    ],
)
def test_what_a_line_puts_in_and_opens_is_seen_in_the_state_that_the_program_gets(text: str, written: str) -> None:
    assert line(CommandLine(text), Process(nice=1)) == f"chpst -n 1 {written}"


def test_a_runsvdir_has_a_title_of_the_length_asked_for() -> None:
    assert line(Scan("./service", 10)) == "runsvdir -P ./service log:......"
    assert line(Scan("./service", 0)) == "runsvdir -P ./service"
