"""`runit-provision schema`"""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Print the JSON Schema of the data, with which an editor completes and checks it."""
    import json

    from runit_provision.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
