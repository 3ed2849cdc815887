"""`runit-provision runtime install | upgrade | remove`"""

from __future__ import annotations

from pathlib import Path

import click

from runit_provision.cli import options
from runit_provision.cli.output import Format, Output, output_options
from runit_provision.errors import HostError, Problem

PATIENCE = 60.0
"""Seconds for all running trees to become another version."""


@click.group()
def command() -> None:
    """Install, renew or remove the shipped runtime: runsvdir, runsv, sv, svlogd, chpst, rsvlog.

    pip puts only runit-provision on PATH, so a host's own runit is never shadowed unless you ask for it here.
    """


@command.command()
@options.prefix
@options.root
@click.option("--python", metavar="EXE", help="The interpreter that the tools start with.  [default: /usr/bin/python3]")
@output_options
def install(*, prefix: Path, root: Path, python: str | None, output: Output) -> None:
    """Lay the runtime under DIR/lib/runit-provision and its tools in DIR/bin.

    Never over a file that it did not put there. Doing it again changes nothing, or renews the tools without a moment's gap.
    """
    from runit_provision.host import interpreter, package

    done = package.install(prefix=prefix, root=root, python=python or interpreter.PYTHON, say=output.warn)
    if output.form is Format.JSON:
        return output.json({"changed": done.changed, "version": done.version, "tools": [str(tool) for tool in done.tools]})
    names = " ".join(tool.name for tool in done.tools)
    state = "installed" if done.changed else "is installed already; nothing to do"
    return output.line(f"runtime {done.version} {state}: {done.tools[0].parent}/ has {names}")


@command.command()
@options.prefix
@click.option("--python", metavar="EXE", help="The interpreter that the tools start with.  [default: /usr/bin/python3]")
@output_options
def upgrade(*, prefix: Path, python: str | None, output: Output) -> None:
    """Install this version, and have every running tree become it; services and logs go on, with their pids.

    It has to supervise a service of its own first: else nothing is changed. As root for the trees of all users. A package that switched
    DIR/lib/runit-provision/current itself calls this too, or sends USR2 to each runsvdir.
    """
    from runit_provision.host import interpreter, package, shipped, trees

    done = package.install(prefix=prefix, python=python or interpreter.PYTHON, tried=True, say=output.warn)
    library = prefix / shipped.LIBRARY
    running = trees.find(library)
    others = [tree for tree in running if tree.version != done.version]
    trees.ask(others, library)
    left = trees.watch(others, library, version=done.version, patience=PATIENCE)
    if output.form is Format.JSON:
        renewed = [str(tree) for tree in running if tree.pid not in {other.pid for other in left}]
        output.json({"changed": done.changed, "version": done.version, "trees": renewed, "failed": [str(tree) for tree in left]})
    else:
        state = "installed" if done.changed else "is installed already"
        output.line(f"runtime {done.version} {state}; {len(running) - len(left)} of {len(running)} running trees run it")
    if left:
        hint = "what its runsvdir says on stderr tells why; one that has no runsvdir waits for it"
        raise HostError(*(Problem(f"still runs version {tree.version}", path=str(tree), hint=hint) for tree in left))


@command.command()
@options.prefix
@options.root
@output_options
def remove(*, prefix: Path, root: Path, output: Output) -> None:
    """Take back what `install` laid, and nothing else. Trees that run from it are named, and go on."""
    from runit_provision.host import package, shipped, trees

    running = trees.find(prefix / shipped.LIBRARY) if root == Path("/") else []
    for tree in running:
        hint = "its services go on; once it has ended, it cannot be started again without a runtime"
        output.warn(Problem(f"still runs version {tree.version}, whose files go", path=str(tree), hint=hint))
    removed = package.remove(prefix=prefix, root=root, say=output.warn)
    if output.form is Format.JSON:
        return output.json({"removed": [str(path) for path in removed], "trees": [str(tree) for tree in running]})
    return output.line(f"{len(removed)} files removed" if removed else f"no runtime is installed under {prefix}; nothing to do")
