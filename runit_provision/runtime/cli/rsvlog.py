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
from ..shell.console import occupy_standard_streams
from ..shell.logs import settings
from ..shell.logs.place import Place
from ..shell.logs.stderr import print_error
from ..shell.title import name_process
from . import svlogd

FAILURE = 111


def main(argv: list[str]) -> int:
    """Run in the directory `log` of a service."""
    if argv[1:] not in ([], ["-p"]):
        print_error(b"usage: rsvlog [-p]\n")
        return FAILURE
    occupy_standard_streams()
    try:
        here = posix.open(".", posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
        found = settings.read(here, posix.environ)
        place = Place.of(found)
        place.make()
        place.become_owner()
    except (OSError, ValueError, svlogd_options.UsageError) as error:
        print_error(b"rsvlog: fatal: " + settings.explain(error) + b"\n")
        return FAILURE
    if argv[1:]:
        return 0
    name_process(b"rsvlog")
    return svlogd.run(found.options, [place])
