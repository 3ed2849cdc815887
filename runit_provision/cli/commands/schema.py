"""`runit-provision schema`"""

from __future__ import annotations

import click


@click.command()
@click.option("--markdown", is_flag=True, help="Write the page for people in place of the JSON Schema.")
def command(*, markdown: bool) -> None:
    """Print the JSON Schema of the data, with which an editor completes and checks it."""
    import json

    from runit_provision.schema import json_schema, reference

    click.echo(reference() if markdown else json.dumps(json_schema(), indent=2, ensure_ascii=False), nl=not markdown)
