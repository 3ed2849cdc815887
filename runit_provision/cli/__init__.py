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
from contextlib import suppress
from itertools import takewhile

from runit_provision.errors import DataError, HostError, LockHeldError, Problem, ProvisionError

DONE = 0
FAILED = 1
DIFFERENT = 2
LOCKED = 3
USAGE = 64
BEGUN = "what was begun, the next `apply` completes, and `rollback` takes back"
_ONLY_SHOW = ("lookup", "schema", "status")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (default: the process's own arguments) and give the exit status; never a traceback for what people do."""
    if arguments is None:
        gc.disable()  # a command lives for a moment, and keeps what it makes: to look for garbage would be a seventh of its time
        arguments = sys.argv[1:]
    _open_closed_streams()
    try:
        status = _run(arguments)
    except ImportError as error:
        _complain(f"runit-provision is installed only in part: {error}; install it again, with all that it requires")
        status = FAILED
    return status if _flush() else status or FAILED


def _run(arguments: Sequence[str]) -> int:
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
        return _report(error, changes=next(iter(arguments), "") not in _ONLY_SHOW)
    except OSError as error:
        operation = " ".join(takewhile(lambda word: not word.startswith("-"), arguments))
        return _report(HostError(Problem(error.strerror or str(error), key=operation, path=str(error.filename or ""))))
    except click.Abort:
        return end_by(signal.SIGINT)


def _report(error: ProvisionError, *, changes: bool = True) -> int:
    """Print the problems; changes: the command could have changed something, so it is said when it did not."""
    for warning in error.warnings:
        _complain(f"warning: {warning}")
    for problem in error.problems:
        _complain(str(problem))
    number = len(error.problems)
    untouched = error.untouched if isinstance(error, HostError) else isinstance(error, DataError | LockHeldError)
    outcome = "; nothing was changed" if changes and untouched else ""
    outcome = f"; {BEGUN}" if isinstance(error, HostError) and error.begun else outcome
    _complain(f"{number} problem{'s' * (number != 1)}{outcome}")
    return LOCKED if isinstance(error, LockHeldError) else FAILED


def _complain(line: str) -> None:
    with suppress(OSError):  # nobody is left to be told
        print(line, file=sys.stderr, flush=True)


def end_by(number: signal.Signals) -> int:
    """End as the signal would have ended it, so that a shell's loop around this ends too."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number


def _open_closed_streams() -> None:
    """Put /dev/null where a standard stream is closed (`>&-`), lest the next file that is opened gets its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - open for as long as the process


def _flush() -> bool:
    """Write what is left; False when that failed, but for a reader who is gone. Python must not try again while it ends."""
    written = True
    for stream, name in ((sys.stdout, "standard output"), (sys.stderr, "standard error")):
        try:
            stream.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            if not isinstance(error, BrokenPipeError):
                written = False
                _complain(f"{name}: {error.strerror}")
    return written
