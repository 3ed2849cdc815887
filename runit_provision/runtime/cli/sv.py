"""sv: control and report services that runsv supervises; sv(8). Called by another name, it is that service's init script."""

from __future__ import annotations

import posix
from time import time_ns

from .. import NAME_AND_VERSION
from ..core import sv
from ..core.options import OptionError, Options, leading_number
from ..shell.console import encode, end_on_interrupt, occupy_standard_streams, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..shell.client.client import Client

_USAGE = b" [-v] [-w sec] command service ..."
_USAGE_INIT_SCRIPT = b" [-w sec] command"
_WAIT = 7
"""Seconds."""
_MANY = 50
"""Services from which on reading a table of all of them is less work than asking each."""
_MOST = 99
"""The greatest exit status that counts failures."""


class _UsageError(Exception):
    pass


def main(argv: list[str]) -> int:
    """Do what sv(8) says; give its exit status."""
    end_on_interrupt()
    words = encode("\0".join(argv)).split(b"\0") if argv else [b"sv"]
    name = words[0].rpartition(b"/")[2]
    is_init_script = name != b"sv"
    try:
        command, services, limit = _read(words, name)
    except _UsageError as problem:
        usage = _USAGE_INIT_SCRIPT if is_init_script else _USAGE
        write(2, b"%susage: %s%s\n\n" % (problem.args[0], name, usage))
        return 2 if is_init_script else 100
    now_ns = time_ns()
    directory = _directory()
    if command.kind == sv.STATUS and len(services) >= _MANY and directory:
        return _report_many(services, directory, now_ns)
    from ..shell.client.client import Client

    client = Client(directory, now_ns=now_ns, asked_to_exit=command.letters == b"x")
    if command.kind == sv.STATUS:
        return _report(client, services, is_init_script)
    sent = []
    for index, service in enumerate(services):
        path = client.enter(service)
        if path is not None and (command.kind == sv.CHECK or client.control(service, path, command.letters)):
            sent.append((index, service, path))
    client.flush()
    if command.waits and sent:
        from ..shell.client.wait import Waiting

        Waiting(client, command, limit=limit, started_ns=now_ns).run(sent)
    return min(client.failures, _MOST)


def _read(words: list[bytes], name: bytes) -> tuple[sv.Command, list[bytes], int]:
    """Give the command, the services and the seconds to wait; raises _UsageError with what is to be said before the usage."""
    is_init_script = name != b"sv"
    limit, verbose = _WAIT, False
    if b"SVWAIT" in posix.environ:
        limit = leading_number(posix.environ[b"SVWAIT"])[0]
    options = Options(words, b"w:vV")
    try:
        for letter, value in options:
            if letter == b"V":
                raise _UsageError(NAME_AND_VERSION)
            if letter == b"w":
                limit = leading_number(value)[0]
            verbose = True
    except OptionError as error:
        raise _UsageError(b"%s: %s\n" % (name, error.text)) from None
    word, *services = options.rest or [b""]
    command = sv.parse(word, init_script=is_init_script, verbose=verbose)
    if is_init_script:
        services = [name]
    if command is None or not services:
        raise _UsageError(b"")
    return command, services, limit


def _directory() -> bytes:
    """Give the directory of the services that are named without a slash: $SVDIR, the caller's ~/service, or the host's."""
    environ = posix.environ
    if b"SVDIR" in environ:
        return environ[b"SVDIR"]
    candidates = [b"/etc/service", b"/var/service", b"/service"]
    if posix.geteuid() != 0 and b"HOME" in environ:
        candidates.insert(0, environ[b"HOME"] + b"/service")
    for candidate in candidates:
        if posix.access(candidate + b"/.", posix.F_OK):
            return candidate
    return candidates[-3]


def _report(client: Client, services: list[bytes], is_init_script: bool) -> int:
    occupy_standard_streams()
    for service in services:
        code = client.report(service)
    client.flush()
    return code if is_init_script else min(client.failures, _MOST)


def _report_many(services: list[bytes], directory: bytes, now_ns: int) -> int:
    """Report what tables tell of, and ask the others; who asks nobody needs no client."""
    occupy_standard_streams()
    from ..shell.client import table

    out: list[bytes] = []
    clients: list[Client] = []
    paths, here = table.go_there(services, directory)

    def ask(name: bytes) -> None:
        if not clients:
            from ..shell.client.client import Client

            clients.append(Client(here, now_ns=now_ns, asked_to_exit=False))
            clients[0].out = out
        clients[0].report(name)

    table.report(services, paths, directory, ask, now_ns=now_ns, out=out)
    write(1, b"".join(out))
    return min(clients[0].failures, _MOST) if clients else 0
