"""`runit-provision lookup KEY`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runit_provision.cli.options import source_options
from runit_provision.cli.output import Format, Output, output_options

if TYPE_CHECKING:
    from runit_provision.app.source import Source


@click.command()
@click.argument("key")
@click.option("--merge", type=click.Choice(["first", "unique", "hash", "deep"]), help="How levels are merged; else lookup_options say.")
@click.option("--explain", is_flag=True, help="Show every level that was asked, and what it gave.")
@source_options(data=False)
@output_options
def command(*, key: str, merge: str | None, explain: bool, source: Source, output: Output) -> None:
    """Show one resolved value, as YAML or JSON. Secrets are redacted."""
    hierarchy = source.hierarchy()
    if explain:
        return output.line(hierarchy.explain(key, merge=merge).rstrip("\n"))
    value = _plain(hierarchy.lookup(key, merge=merge))
    for warning in hierarchy.warnings:
        output.warn(warning)
    if output.form is Format.JSON:
        return output.json(value)
    return output.line(_yaml(value))


def _plain(value: Any) -> Any:
    """Give plain containers, and what is Sensitive as the words that stand for it."""
    from runit_provision.model.data import Sensitive

    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case Sensitive():
            return str(value)
        case _:
            return value


def _yaml(value: Any) -> str:
    import yaml

    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=False, width=100)
    return text.removesuffix("\n").removesuffix("\n...")
