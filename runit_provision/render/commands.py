"""The last line of a script: what it becomes, and the chpst that changes its state on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import assert_never

from runit_provision.model.process import Credentials, Process
from runit_provision.model.run import Argv, CommandLine, Run, Scan, Script
from runit_provision.render.environment import filed
from runit_provision.render.quoting import join, quote
from runit_provision.render.shell_reading import commands

_LIMITS = (
    ("-m", "memory"),
    ("-d", "data"),
    ("-r", "resident"),
    ("-o", "files"),
    ("-p", "processes"),
    ("-f", "file_size"),
    ("-c", "core"),
    ("-t", "cpu"),
)
_BUILTINS = (
    r"\.|:|!|\{|\[\[|if|for|while|until|case|select|function|time|alias|break|builtin|cd|command|continue|declare|eval|exec|exit|export"
    r"|getopts|hash|jobs|let|local|read|readonly|return|set|shift|source|times|trap|type|typeset|ulimit|umask|unalias|unset|wait"
)
_PUT_IN = re.compile(r"[$`*?\[~<>]")
"""What a shell may put something in for, or opens a file at."""
_NOT_A_PROGRAM = re.compile(rf"-|[0-9]*[<>]|[A-Za-z_][A-Za-z0-9_]*\+?=|(?:{_BUILTINS})$")


def command(run: Run, process: Process, *, environment_directory: str) -> str:
    """Give what stands behind the script's `exec`."""
    words = state_words(process, environment_directory=environment_directory)
    return " ".join([*([join(words)] if words else []), program(run, changed=bool(words))])


def program(run: Run, *, changed: bool) -> str:
    """Give the program with its arguments; changed: a chpst stands before it."""
    match run:
        case Argv(words):
            return join(words)
        case CommandLine(text):
            return _line(text, changed=changed)
        case Scan(directory, title):
            return join(("runsvdir", "-P", directory, *(["log:" + "." * max(title - 4, 3)] if title else [])))
        case Script():
            raise AssertionError("a script of one's own is rendered as it is")
        case _:
            assert_never(run)


def _line(text: str, *, changed: bool) -> str:
    """Give the line itself when it is one program's, else a shell that reads it.

    changed: the program gets another state than the script has. What the shell puts in and opens is to be seen from there.
    """
    if needs_shell(text):
        return f"sh -c {quote(text)}"
    bare = _bare(text)
    return f"sh -c {quote(f'exec {bare}')}" if changed and _PUT_IN.search(bare) else bare


def needs_shell(text: str) -> bool:
    """Whether a line is more than one program with its arguments, so that a shell has to read it anew."""
    bare = _bare(text)
    found = commands(bare)
    alone = len(found) == 1 and found[0].ended == "\n" and "\n" not in bare and "#" not in bare
    return not alone or bool(_NOT_A_PROGRAM.match(bare.split()[0]))


def _bare(text: str) -> str:
    return re.sub(r"^exec\s+", "", text)


def credentials_word(credentials: Credentials, *, numeric: bool = False) -> str:
    """Give the argument of `chpst -u`; numeric where the names could not be looked up, below another root directory."""
    account = credentials.account
    if numeric:
        return ":".join(["", str(account.uid), credentials.group or str(account.gid), *credentials.groups])
    group = [credentials.group] if credentials.group else [account.group] if credentials.groups else []
    return ":".join([account.name, *group, *credentials.groups])


def state_words(process: Process, *, environment_directory: str) -> tuple[str, ...]:
    """Give the words of the chpst that makes `process`'s state, none when it changes nothing; chpst(8)."""
    earlier = [word for directory in process.environment_directories for word in ("chpst", "-e", directory)]
    stack = () if process.limits.stack is None else ("softlimit", "-s", str(process.limits.stack))
    options = [word for _, words in state_options(process, environment_directory=environment_directory) for word in words]
    return (*earlier, *stack, *(("chpst", *options) if options else ()))


def state_options(process: Process, *, environment_directory: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give for each key of the data that is an option of that chpst the words that it becomes."""
    if process.credentials:
        yield "user", ("-u", credentials_word(process.credentials, numeric=process.root is not None))
    if filed(process):
        yield "env", ("-e", environment_directory)
    if process.root is not None:
        yield "chroot", ("-/", process.root)
    if process.nice:
        yield "nice", ("-n", str(process.nice))
    if process.lock:
        yield "lock", ("-l" if process.lock.wait else "-L", process.lock.path)
    if process.own_session:
        yield "session", ("-P",)
    for option, name in _LIMITS:
        value = getattr(process.limits, name)
        if value is not None:
            yield f"limits.{name}", (option, str(value))
    if process.closed:
        yield "close", tuple(f"-{stream.value}" for stream in process.closed)
    if process.argv0 is not None:
        yield "argv0", ("-b", process.argv0)
