"""The command `runit-provision`: arguments, output, exit statuses, and nothing else.

Exit status: 0 done, or nothing to do. 1 bad input (nothing was changed), or something failed. 2 a difference was found (`plan`,
`check`), or something is not so (`verify`). 3 another apply holds the lock. 64 usage.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence

from runit_provision.errors import DataError, HostError, LockHeldError, ProvisionError

DONE = 0
FAILED = 1
DIFFERENT = 2
LOCKED = 3
USAGE = 64


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (default: the process's own arguments) and give the exit status; never a traceback for what people do."""
    if arguments is None:
        gc.disable()  # a command lives for a moment, and keeps what it makes: to look for garbage would be a seventh of its time

    import click

    from runit_provision.cli.program import program

    try:
        status = program.main(arguments, prog_name="runit-provision", standalone_mode=False)
        return status if isinstance(status, int) else DONE
    except click.UsageError as error:
        error.show()
        return USAGE
    except click.ClickException as error:
        error.show()
        return FAILED
    except ProvisionError as error:
        return _report(error)
    except click.Abort:
        return end_by(signal.SIGINT)
    finally:
        _flush()


def _report(error: ProvisionError) -> int:
    for problem in error.problems:
        print(problem, file=sys.stderr)
    number = len(error.problems)
    untouched = error.untouched if isinstance(error, HostError) else isinstance(error, DataError | LockHeldError)
    outcome = "; nothing was changed" if untouched else ""
    print(f"{number} problem{'s' * (number != 1)}{outcome}", file=sys.stderr)
    return LOCKED if isinstance(error, LockHeldError) else FAILED


def end_by(number: signal.Signals) -> int:
    """End as the signal would have ended it, so that a shell's loop around this ends too."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number


def _flush() -> None:
    """Write what is left; when the reader is gone, python must not try again while it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
