"""rsvlog (and nsvlog): a service's logger without a line of script.

As `log/run`, a symbolic link to this program, it makes the service's log directory with the right owner, then is svlogd. Environment,
or files in `log/env/` (chpst -e), which win:

    RSVLOG_DIR       log directory, absolute or beneath log/; default /var/log/runit/NAME for root, else ~/logs/NAME
    RSVLOG_USER      account to drop to before anything in the log directory is opened
    RSVLOG_OPTIONS   svlogd's options; default -tt

    rsvlog       log standard input; 0 at its end or after TERM, 111 on an error
    rsvlog -p    only make the log directory
"""

from __future__ import annotations

import posix

from ..core import svlogd_options
from ..shell import log_loop, log_place, log_settings
from ..shell.console import occupy_standard_streams
from . import svlogd

FAILURE = 111


def main(argv: list[str]) -> int:
    """Run in the directory `log` of a service."""
    if argv[1:] not in ([], ["-p"]):
        log_loop.print_error(b"usage: rsvlog [-p]\n")
        return FAILURE
    occupy_standard_streams()
    try:
        here = posix.open(".", posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
        settings = log_settings.read(here, posix.environ)
        place = log_place.Place.of(settings)
        place.make()
        place.become_owner()
    except (OSError, ValueError, svlogd_options.UsageError) as error:
        log_loop.print_error(b"rsvlog: fatal: " + log_settings.explain(error) + b"\n")
        return FAILURE
    if argv[1:]:
        return 0
    log_loop.name_process(b"rsvlog")
    return svlogd.run(settings.options, [place])
