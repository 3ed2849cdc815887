"""`runit-provision init link | unlink | status`"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runit_provision.cli import DIFFERENT, DONE, options
from runit_provision.cli.output import Format, Output, output_options
from runit_provision.host.inits.detect import NAMES

if TYPE_CHECKING:
    from runit_provision.host.inits.boot import Boot
    from runit_provision.host.inits.linking import Init


@click.group()
def command() -> None:
    """Let init start runsvdir at boot, and again when it dies."""


def _init_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the init that was detected or named, the reason, and what it starts."""

    @click.option("--init", "name", type=click.Choice(NAMES), help="Which init; else it is detected.")
    @click.option(
        "--service-directory",
        type=options.HostPath(),
        metavar="DIR",
        help="The directory that runsvdir scans.  [default: /etc/service, of systemd-user ~/service]",
    )
    @click.option(
        "--prefix",
        type=options.HostPath(),
        metavar="DIR",
        help="Where the runtime lives: its tools in DIR/bin.  [default: /usr/local, of systemd-user ~/.local]",
    )
    @options.root
    @wraps(command)
    def run(*, name: str | None, service_directory: Path | None, prefix: Path | None, root: Path, **rest: Any) -> Any:
        from runit_provision.host.inits.boot import Boot
        from runit_provision.host.inits.detect import Detected, detect
        from runit_provision.host.inits.linking import by_name

        found = Detected(name, "named with --init") if name else detect(root)
        own = found.name == "systemd-user"
        tools = prefix or (Path.home() / ".local" if own else Path("/usr/local"))
        services = service_directory or (Path.home() / "service" if own else Path("/etc/service"))
        boot = Boot(prefix=str(tools), services=str(services))
        return command(init=by_name(found.name, root=root), reason=found.reason, boot=boot, **rest)

    return run


@command.command()
@_init_options
@output_options
def link(*, init: Init, reason: str, boot: Boot, output: Output) -> None:
    """Write what starts runsvdir at boot; on a running host, start it now.

    systemd: a unit. systemd-user: one of your own systemd, without root. sysvinit, busybox: lines in /etc/inittab between marks.
    openrc: a script in a runlevel. upstart: a job. runit, s6: a service of theirs. The death of runsvdir ends no service: the next
    one adopts them.
    """
    from runit_provision.host.inits import linking

    _show(linking.link(init, boot), init, reason, output)


@command.command()
@_init_options
@output_options
def unlink(*, init: Init, reason: str, boot: Boot, output: Output) -> None:
    """Take back exactly what `link` wrote; on a running host, stop runsvdir and its services, in order."""
    from runit_provision.host.inits import linking

    _show(linking.unlink(init, boot), init, reason, output)


@command.command()
@_init_options
@output_options
def status(*, init: Init, reason: str, boot: Boot, output: Output) -> int:
    """Tell which init this is, and how the link stands; exit status 2 when it is not as `link` would leave it, running."""
    from runit_provision.host.inits import linking

    found = linking.status(init, boot)
    if output.form is Format.JSON:
        pieces = [{"what": what, "state": state.value} for what, state in found.pieces]
        output.json({"init": init.name, "reason": reason, "linked": found.linked, "running": found.running, "pieces": pieces})
    else:
        output.line(f"{init.name}: {reason}")
        for what, state in found.pieces:
            output.line(f"{what}: {state.value}")
        if found.running is not None:
            output.line(f"runsvdir on {boot.services}: {'running' if found.running else 'not running'}")
    return DONE if found.linked and found.running is not False else DIFFERENT


def _show(done: list[str], init: Init, reason: str, output: Output) -> None:
    if output.form is Format.JSON:
        return output.json({"init": init.name, "reason": reason, "done": done})
    output.line(f"{init.name}: {reason}")
    for what in done or ["nothing to do"]:
        output.line(what)
    return None
