"""Options that several commands share, read into what the use cases take."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from runit_provision.app.layers import Layers
from runit_provision.app.source import Source
from runit_provision.app.target import Target

_FILE = click.Path(path_type=Path, readable=False)
"""A file that is read; that it is there and can be is the reader's to say, with exit status 1: it is input, not usage."""


class HostPath(click.Path):
    """A path of the host, which an image's root goes in front of."""

    name = "path"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path:  # noqa: ARG002
        return Path(os.path.abspath(str(value)))  # noqa: PTH100 - Path.resolve would follow links of this machine


_LONGEST = 1_000_000
"""Seconds, which are eleven days; epoll_wait(2) counts milliseconds in an int."""

root = click.option(
    "--root",
    type=click.Path(file_okay=False, exists=True, path_type=Path, resolve_path=True),
    default="/",
    metavar="DIR",
    help="An image that is being built: its files are written and its accounts are read, nothing runs there.",
)
prefix = click.option(
    "--prefix",
    type=HostPath(),
    default="/usr/local",
    show_default=True,
    metavar="DIR",
    help="Where the runtime lives: its tools in DIR/bin.",
)


_user = click.option("--user", metavar="NAME", help="One user's tree alone; that user may do it without root.")


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what is provisioned; it gets `target`."""

    @_user
    @root
    @wraps(command)
    def run(*, root: Path, user: str | None, **rest: Any) -> Any:
        return command(target=Target(root=root, user=user), **rest)

    return run


def live_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command that asks what runs `target`, which is this host: in an image nothing does."""

    @_user
    @wraps(command)
    def run(*, user: str | None, **rest: Any) -> Any:
        return command(target=Target(user=user), **rest)

    return run


def part_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `target_options`, and those that say which services it is about."""

    @click.option(
        "--service",
        "services",
        multiple=True,
        metavar="ID",
        help="This service alone, and the directories that it lies in; may be given more than once.",
    )
    @click.option("--no-services", "none", is_flag=True, help="All but the services of the data.")
    @target_options
    @wraps(command)
    def run(*, target: Target, services: tuple[str, ...], none: bool, **rest: Any) -> Any:
        if services and none:
            raise click.UsageError("Give either --service or --no-services.")
        return command(target=replace(target, services=frozenset(services) if services or none else None), **rest)

    return run


class Seconds(click.ParamType[float]):
    """How long something is waited for: a number that every clock and every wait of the kernel's takes."""

    name = "seconds"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = float(str(value))
        except ValueError:
            self.fail(f"{value!r} is no number", param, ctx)
        if not 0 <= seconds <= _LONGEST:
            self.fail(f"{value!r} is not between 0 and {_LONGEST} seconds", param, ctx)
        return seconds


def timeouts(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `lock_timeout` and `timeout`, in seconds."""
    lock = click.option("--lock-timeout", type=Seconds(), default=0.0, show_default=True, help="Seconds to wait for another apply.")
    service = click.option("--timeout", type=Seconds(), default=30.0, show_default=True, help="Seconds to wait for services.")
    return lock(service(command))


class Text(click.ParamType[str]):
    """Text that may be shown again, and so has to be UTF-8."""

    name = "text"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not _is_utf8(str(value)):
            self.fail(f"{value!r} is not UTF-8", param, ctx)
        return str(value)


class _Fact(click.ParamType[tuple[str, Any]]):
    """`name=text`, or `name:=value` with the value as YAML writes it; a dotted name is an item of a structured fact."""

    name = "name=text"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        before, equals, text = str(value).partition("=")
        name = before.removesuffix(":")
        if not equals or not all(name.split(".")):
            self.fail(f"{value!r} is neither NAME=TEXT nor NAME:=VALUE", param, ctx)
        if not _is_utf8(str(value)):
            self.fail(f"{value!r} is not UTF-8", param, ctx)
        return name, text if name == before else self._parsed(name, text, param, ctx)

    def _parsed(self, name: str, text: str, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from runit_provision.errors import DataError
        from runit_provision.hiera import parse_yaml

        try:
            return parse_yaml(text, name)
        except DataError as error:
            self.fail(str(error), param, ctx)


def _is_utf8(text: str) -> bool:
    """Whether an argument's bytes were UTF-8; Python hides those that were not in the text, and no output takes them."""
    return not any("\udc80" <= sign <= "\udcff" for sign in text)


class _Folders(click.ParamType[tuple[Path, ...]]):
    """Folders with colons between them, as Puppet's settings have them."""

    name = "dir:..."

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Path, ...]:  # noqa: ARG002
        return tuple(Path(folder) for folder in str(value).split(os.pathsep) if folder)


def _layers(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which layers Puppet adds to the hierarchy; it gets `layers`."""

    @click.option("--environment", type=Text(), default="production", show_default=True, metavar="NAME", help="The node's environment.")
    @click.option(
        "--environmentpath", type=_FILE, metavar="DIR", help="A folder of environments, whose hiera.yaml is the second layer."
    )
    @click.option(
        "--modulepath",
        type=_Folders(),
        help="Folders of modules, the third layer.  [default: as environment.conf says]",
    )
    @click.option(
        "--basemodulepath",
        type=_Folders(),
        help="Folders of modules that every environment has.  [default: `modules` beside --environmentpath]",
    )
    @wraps(command)
    def run(
        *,
        environment: str,
        environmentpath: Path | None,
        modulepath: tuple[Path, ...] | None,
        basemodulepath: tuple[Path, ...] | None,
        **rest: Any,
    ) -> Any:
        return command(layers=Layers(environment, environmentpath, modulepath, basemodulepath), **rest)

    return run


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say where the data comes from; it gets `source`."""

    @click.option("--hiera-config", type=_FILE, metavar="FILE", help="The hierarchy: a hiera.yaml of version 5.")
    @click.option("--data", "data_file", type=_FILE, metavar="FILE", help="Data that is resolved already, YAML or JSON.")
    @click.option(
        "--facts",
        "facts_file",
        type=_FILE,
        metavar="FILE",
        help="The node's facts, as `facter --yaml` prints them.  "
        "[default: what facter says here, if no --fact, --node or --root is given]",
    )
    @click.option(
        "--fact",
        "facts",
        type=_Fact(),
        multiple=True,
        help="One more fact; wins over the file. NAME:=VALUE is YAML, as `cpus:=4`.",
    )
    @click.option(
        "--node", type=Text(), default="", metavar="NAME", help="The node's name.  [default: the facts' fqdn, or this machine's name]"
    )
    @click.option(
        "--trusted",
        type=_Fact(),
        multiple=True,
        help="One trusted fact, as `extensions.pp_role=web`; a certificate is not read.",
    )
    @_layers
    @click.option(
        "--lenient",
        is_flag=True,
        help="Undefined variables are empty, and files may hold no hash, as in Puppet 7.  [default: as in 8]",
    )
    @wraps(command)
    def run(
        *,
        hiera_config: Path | None,
        facts_file: Path | None,
        facts: tuple[tuple[str, Any], ...],
        node: str,
        trusted: tuple[tuple[str, Any], ...],
        layers: Layers,
        lenient: bool,
        data_file: Path | None,
        **rest: Any,
    ) -> Any:
        if (hiera_config is None) == (data_file is None):
            raise click.UsageError("Give either --hiera-config FILE or --data FILE.")
        if data_file is not None:
            _refuse_what_only_a_hierarchy_reads()
        source = Source(
            hiera_config=hiera_config,
            data=data_file,
            facts_file=facts_file,
            facts=dict(facts),
            ask_facter=not facts and not node and _is_about_this_machine(),
            node=node,
            trusted=dict(trusted),
            layers=layers,
            lenient=lenient,
        )
        return command(source=source, **rest)

    return run


def _refuse_what_only_a_hierarchy_reads() -> None:
    """What is given and has no meaning is a mistake: the data would not be what its writer expects."""
    context = click.get_current_context()
    ours = ("facts_file", "facts", "node", "trusted", "environment", "environmentpath", "modulepath", "basemodulepath", "lenient")
    given = [option for option in context.command.params if option.name in ours and _is_given(context, option)]
    if given:
        names = ", ".join(option.opts[0] for option in given)
        raise click.UsageError(f"{names}: for a hierarchy (--hiera-config) alone; --data is resolved already.")


def _is_given(context: click.Context, option: click.Parameter) -> bool:
    assert option.name
    return context.get_parameter_source(option.name) is not ParameterSource.DEFAULT


def _is_about_this_machine() -> bool:
    """An image's facts are not those of the machine that builds it."""
    return bool(click.get_current_context().params.get("root", Path("/")) == Path("/"))
