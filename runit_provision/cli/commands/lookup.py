"""`runit-provision lookup KEY...`"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from runit_provision.cli.options import Text, source_options
from runit_provision.cli.output import Output, color_option
from runit_provision.errors import DataError, Problem, with_warnings

if TYPE_CHECKING:
    from runit_provision.app.source import Source


def _merge_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `puppet lookup`'s options for merging; it gets `merge`, a strategy's name or a hash with its options."""

    @click.option(
        "--merge", type=click.Choice(["first", "unique", "hash", "deep"]), help="How levels are merged; else lookup_options say."
    )
    @click.option(
        "--knock-out-prefix", type=Text(), metavar="TEXT", help="With --merge deep: what begins with it takes a lower value away."
    )
    @click.option("--sort-merged-arrays", is_flag=True, help="With --merge deep: merged lists are sorted.")
    @click.option("--merge-hash-arrays", is_flag=True, help="With --merge deep: hashes in lists are merged, by their position.")
    @wraps(command)
    def run(*, merge: str | None, knock_out_prefix: str | None, sort_merged_arrays: bool, merge_hash_arrays: bool, **rest: Any) -> Any:
        given = {
            "knockout_prefix": knock_out_prefix,
            "sort_merged_arrays": sort_merged_arrays or None,
            "merge_hash_arrays": merge_hash_arrays or None,
        }
        chosen = {name: value for name, value in given.items() if value is not None}
        if chosen and merge != "deep":
            raise click.UsageError("--knock-out-prefix, --sort-merged-arrays and --merge-hash-arrays need --merge deep.")
        return command(merge={"strategy": merge, **chosen} if chosen else merge, **rest)

    return run


@click.command()
@click.argument("keys", metavar="KEY...", type=Text(), nargs=-1, required=True)
@_merge_options
@click.option("--default", type=Text(), metavar="TEXT", help="What is shown when none of the keys is found.")
@click.option(
    "--type", "value_type", type=Text(), metavar="TYPE", help="The Puppet type that the value has to have, as 'Array[String]'."
)
@click.option("--explain", is_flag=True, help="Show every level that was asked, and what it gave.")
@click.option("--show-secrets", is_flag=True, help="Show Sensitive and encrypted values.")
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True, help="How a value is shown.")
@source_options
@color_option
def command(
    *,
    keys: tuple[str, ...],
    merge: object,
    default: str | None,
    value_type: str | None,
    explain: bool,
    show_secrets: bool,
    form: str,
    source: Source,
    output: Output,
) -> None:
    """Show the resolved value of the first KEY that is found. A dotted KEY digs: `os.family`. Secrets are redacted."""
    if source.data is not None:
        if explain or merge is not None or value_type is not None:
            raise click.UsageError("--explain, --merge and --type ask a hierarchy: give --hiera-config FILE instead of --data.")
        found = source.given(*keys)
        if found is None and default is None:
            raise DataError(Problem("not found in the file", path=str(source.data), key=", ".join(keys)))
        _show(_plain(default if found is None else found.value, show_secrets=show_secrets), form, output, key=", ".join(keys))
        return
    hierarchy = source.hierarchy()
    wanted: dict[str, Any] = {"merge": merge, "value_type": value_type, **({} if default is None else {"default": default})}
    if explain:
        outline = hierarchy.explain(*keys, **wanted, show_secrets=show_secrets)
        output.line(outline.rstrip("\n"))
    with with_warnings(lambda: hierarchy.warnings):
        value = _plain(hierarchy.lookup(*keys, **wanted), show_secrets=show_secrets)
    for warning in hierarchy.warnings:
        output.warn(warning)
    if not explain:
        _show(value, form, output, key=", ".join(keys))


def _show(value: Any, form: str, output: Output, *, key: str) -> None:
    from runit_provision.hiera import yaml_text

    if form != "json":
        output.line(yaml_text(value))
        return
    try:
        output.json(value)
    except ValueError:
        raise DataError(Problem("JSON has no number that is not finite", key=key, hint="--format yaml shows it")) from None


def _plain(value: Any, *, show_secrets: bool) -> Any:
    """Give plain containers, and for what is Sensitive the words that stand for it, unless secrets are to be shown."""
    from runit_provision.model.data import Sensitive

    match value:
        case dict():
            return {key: _plain(item, show_secrets=show_secrets) for key, item in value.items()}
        case list():
            return [_plain(item, show_secrets=show_secrets) for item in value]
        case Sensitive() if show_secrets:
            return _plain(value.unwrap(), show_secrets=True)
        case Sensitive():
            return str(value)
        case _:
            return value
