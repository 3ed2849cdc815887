"""Which key of the data asks for what of `run`, which many keys make together: so a plan can name the one that is another now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runit_provision.model.process import Credentials, Process
from runit_provision.model.service import Service
from runit_provision.model.tree import Origin
from runit_provision.render.commands import program, state_options
from runit_provision.render.environment import scripted
from runit_provision.render.quoting import join, quote


def parts(service: Service, *, environment_directory: str, waits: Iterable[str]) -> tuple[tuple[bytes, Origin], ...]:
    """Give texts that stand in `run` as long as a key of the data says the same, each with its key; see File.

    waits: the commands that tell whether what is required is there. What is not told here is the service's as a whole.
    """
    process = service.process
    options = tuple(state_options(process, environment_directory=environment_directory))
    changed = bool(options or process.environment_directories or process.limits.stack is not None)
    line = f" {program(service.run, changed=changed)}\n"
    told = (("services" if service.children else "command", line), *_options(options, process), *_lines(service, waits))
    return tuple((text.encode(), service.origin_of(key)) for key, text in told)


def _options(options: Iterable[tuple[str, tuple[str, ...]]], process: Process) -> Iterator[tuple[str, str]]:
    for directory in process.environment_directories:
        yield "env_directories", f" {join(('-e', directory))} "
    if process.limits.stack is not None:
        yield "limits.stack", f" -s {process.limits.stack} "
    for key, words in options:
        if key != "user":
            yield key, f" {join(words)} "
    if process.credentials:
        yield from _credentials(process.credentials)


def _credentials(credentials: Credentials) -> Iterator[tuple[str, str]]:
    yield "user", f" -u {credentials.account.name}"
    if credentials.group:
        yield "group", f":{credentials.group}"
    if credentials.groups:
        yield "groups", f":{':'.join(credentials.groups)} "


def _lines(service: Service, waits: Iterable[str]) -> Iterator[tuple[str, str]]:
    process = service.process
    if process.merge_stderr:
        yield "stderr" if "stderr" in service.origins else "log", "\nexec 2>&1\n"
    for wait in waits:
        yield "requires", wait
    if process.umask is not None:
        yield "umask", f"\numask {process.umask:03o}\n"
    if process.directory is not None:
        yield "directory", f"\ncd {quote(process.directory)} "
    for variable in scripted(process):
        set_to = f"unset {variable.name}" if variable.value is None else f"{variable.name}={quote(variable.value)}"
        yield f"env.{variable.name}", f"{set_to}\n"
    if service.before:
        yield "before", service.before
