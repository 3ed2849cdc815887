"""`runit-provision schema`"""

from __future__ import annotations

import click


@click.command()
@click.option("--markdown", is_flag=True, help="Write the page for people in place of the JSON Schema.")
@click.option("--plan", is_flag=True, help="The schema of what `plan` and `check` print with --format json.")
def command(*, markdown: bool, plan: bool) -> None:
    """Print the JSON Schema of the data, with which an editor completes and checks it."""
    import json

    if markdown and plan:
        raise click.UsageError("Give either --markdown or --plan.")
    if markdown:
        from runit_provision.schema import reference

        return click.echo(reference(), nl=False)
    if plan:
        from runit_provision.plan.json_schema import json_schema
    else:
        from runit_provision.schema import json_schema
    return click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
