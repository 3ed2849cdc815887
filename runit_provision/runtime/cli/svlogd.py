"""svlogd, the logger; svlogd(8)."""

from __future__ import annotations

from ..core import svlogd_options
from ..shell.console import occupy_standard_streams
from ..shell.logs import loop
from ..shell.logs.place import Place
from ..shell.logs.stderr import print_error
from ..shell.title import name_process

FAILURE = 111


def main(argv: list[str]) -> int:
    """Log standard input to the directories that `argv` names; 0 at its end or after TERM, 111 on an error."""
    words = [word.encode("utf-8", "surrogateescape") for word in argv]
    try:
        options, directories = svlogd_options.parse(words)
        if not directories:
            raise svlogd_options.UsageError
    except svlogd_options.UsageError as error:
        print_error(error.text + b"usage: " + words[0] + svlogd_options.USAGE)
        return FAILURE
    occupy_standard_streams()
    name_process(b"svlogd")
    return run(options, [Place(name) for name in directories])


def run(options: svlogd_options.Options, places: list[Place]) -> int:
    """Be svlogd over `places`; its exit status."""
    try:
        loop.Loop(places, options).run()
    except loop.NoLogError:
        loop.say(b"fatal: no functional log directories.")
        return FAILURE
    return 0
