"""A plan on the screen; shared by `plan`, `check` and `apply`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import click

from runit_provision.cli import BEGUN, DIFFERENT, DONE, FAILED, end_by
from runit_provision.cli.output import Format, Output
from runit_provision.errors import printable

if TYPE_CHECKING:
    from runit_provision.app.provision import Planned
    from runit_provision.apply import Report

_COLORS = {"+": "green", "~": "yellow", "-": "red", "!": "magenta", "=": "bright_black"}


def show_plan(planned: Planned, output: Output, *, diff: bool) -> None:
    """Print every step with its reason, and the counts; warnings go to standard error."""
    from runit_provision.plan import describe, to_json

    for warning in planned.warnings:
        output.warn(warning)
    if output.form is Format.JSON:
        texts = {"notes": list(planned.notes), "warnings": [str(warning) for warning in planned.warnings]}
        more = {"empty": planned.empty, "runtime": planned.runtime, **texts, "root": str(planned.root)}
        return output.json({**to_json(planned.plan), **more})
    if planned.runtime is not None:
        output.line(f"+ {planned.runtime}/bin: the shipped runtime is to be installed", fg="green")
    for note in planned.notes:
        output.line(printable(note))
    *lines, summary = describe(planned.plan, diff=diff)
    image = f", in the image {printable(str(planned.root))}" if str(planned.root) != "/" else ""
    return show_steps([*lines, f"{summary}{image}"], output)


def show_difference(planned: Planned, output: Output, *, diff: bool, command: str = "apply") -> int:
    """Print the plan, and on standard error what keeps a part of it from being done; give the exit status.

    command: what would do it.
    """
    show_plan(planned, output, diff=diff)
    problems = planned.plan.problems
    for problem in problems:
        output.complain(problem)
    if problems:
        number = len(problems)
        rest = "there is nothing else to do" if planned.empty else "it does the rest"
        output.complain(f"{number} problem{'s' * (number != 1)}, which {command} does not solve; {rest}")
        return FAILED
    return DONE if planned.empty else DIFFERENT


def show_steps(lines: Sequence[str], output: Output, *, indent: str = "") -> None:
    """Print lines that begin with a sign, each in the sign's colour; a diff's lines stand further in."""
    shown = []
    for line in lines:
        color = _COLORS.get(line.strip()[:1]) if line[:1] in _COLORS or line.startswith("    ") else None
        shown.append(click.style(f"{indent}{line}", fg=color) if color else f"{indent}{line}")
    output.line("\n".join(shown))  # at once: each line of its own would be a system call


@contextmanager
def resumable(output: Output) -> Iterator[None]:
    """Let who interrupts a change of the host, or ends it, know what becomes of it."""

    def ended(number: int, _: object) -> NoReturn:
        output.complain(f"ended by a signal; {BEGUN}")
        sys.exit(end_by(signal.Signals(number)))

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number in [number for number, was in before.items() if was is signal.SIG_DFL]:  # nohup's HUP stays ignored
        signal.signal(number, ended)
    try:
        yield
    except KeyboardInterrupt:
        output.complain(f"interrupted; {BEGUN}")
        raise
    finally:
        for number, was in before.items():
            signal.signal(number, was)


def show_report(report: Report, output: Output) -> int:
    """Print what was done, and on standard error what was not; give the exit status."""
    if output.form is Format.JSON:
        output.json(report.to_json())
    else:
        for line in report.lines():
            output.line(line)
    for problem in report.problems:
        output.complain(problem)
    if report.undone:
        for problem in report.undone.problems:
            output.complain(f"rollback: {problem}")
    if report.outcome:
        output.complain(report.outcome)
    return DONE if report.ok else FAILED
