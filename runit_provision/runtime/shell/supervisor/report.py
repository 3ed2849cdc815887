"""What supervisors say, on stderr, which may lead to the log in runsvdir's title."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def report_to_stderr(program: str) -> Callable[[str], None]:
    """Give a report that writes lines to stderr, as `program` where they name none."""

    def report(text: str) -> None:
        line = text if text.startswith("runsv") else f"{program}: {text}"
        try:
            os.write(2, os.fsencode(line) + b"\n")
        except OSError:
            pass

    return report
