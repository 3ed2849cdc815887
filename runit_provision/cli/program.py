"""The commands by name. A command's module is imported when it is the one that runs, so that `--help` and `check` start fast."""

from __future__ import annotations

from importlib import import_module

import click

from runit_provision.runtime import VERSION

_COMMANDS = {
    "demo": "See it work: the shipped examples below a temporary directory, nothing left behind.",
    "lookup": "Show a resolved value; --explain shows every level that was asked.",
    "render": "Show the tree that the data means, or write it into a folder.",
    "plan": "Show what apply would do and why; writes nothing.",
    "apply": "Make the host as the data says.",
    "check": "Is the host as the data says? Read-only.",
    "verify": "Check, and whether services are supervised, up and logging.",
    "status": "Show how the services fare.",
    "restart": "Restart services, or send them the signal that their data name.",
    "rollback": "Undo the last apply.",
    "schema": "Print the JSON Schema of the data.",
    "runtime": "Install or remove the shipped runtime.",
    "init": "Let init start runsvdir at boot, and again when it dies.",
}
"""Each command, and the line that `--help` shows for it; its module in cli.commands has the same name and holds `command`."""


class _Program(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature, as below
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command = import_module(f"runit_provision.cli.commands.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"runit-provision {VERSION}")
        ctx.exit()


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version and exit.")
def program() -> None:
    """Provision runit services from hiera data, for hosts and ordinary users.

    Exit status: 0 done, or nothing to do; 1 bad input, or something failed; 2 a difference was found; 3 another apply holds the lock;
    64 wrong usage.
    """
