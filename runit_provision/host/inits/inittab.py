"""/etc/inittab, which sysvinit and busybox read: four fields to a line, with colons between; inittab(5)."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path

from runit_provision.errors import Problem
from runit_provision.host.inits import scripts
from runit_provision.host.inits.boot import Boot
from runit_provision.host.inits.pieces import OwnFile, OwnLines, Piece
from runit_provision.host.manifest import read
from runit_provision.host.rooted import on_host

PATH = "/etc/inittab"


class Respawning(ABC):
    """What inits share that read it: a line that starts runsvdir and starts it again, one that ends its services, and their scripts.

    Nothing may end while init would respawn it; so what runs is ended after the lines are gone.
    """

    __slots__ = ()
    root: Path

    def pieces(self, boot: Boot) -> tuple[Piece, ...]:
        """The scripts, then the lines that call them."""
        folder = scripts.FOLDER
        start, stop, stops_before = self._lines()
        return (
            scripts.start(boot),
            OwnFile(f"{folder}/runsvdir-stop", self._stop_script(boot), 0o755, own_folder=folder),
            OwnLines(PATH, "runit-provision stop", f"{stop}:{folder}/runsvdir-stop\n", before=stops_before),
            OwnLines(PATH, "runit-provision start", f"{start}:{folder}/runsvdir-start\n", before=lambda _: False),
        )

    def rivals(self, boot: Boot) -> Iterator[Problem]:
        """Give the lines of others that start the same tree, or that have our lines' ids."""
        ids = {line.partition(":")[0] for line in self._lines()[:2]} - {""}
        yield from unfit(self.root)
        for number, fields in strangers(self.root):
            if fields[0] in ids:
                hint = "give it another"
                yield Problem(f"line {number} has the id `{fields[0]}`, which is needed here", path=PATH, hint=hint)
            if boot.is_started_by(fields[3]):
                yield Problem(f"line {number} starts runsvdir on {boot.services} already", path=PATH, hint="remove it first")

    def started(self, boot: Boot, *, fresh: bool) -> list[str]:  # noqa: ARG002 - init sees for itself what is new
        """Let init read its table again."""
        self._listen()
        return ["init reads its table again"]

    def before_unlink(self, boot: Boot) -> list[str]:  # noqa: ARG002
        """Nothing: what ended now, init would start again."""
        return []

    def after_unlink(self, boot: Boot) -> list[str]:
        """Let init forget its lines, and end the services in order."""
        told = self.started(boot, fresh=False)
        self._wait_for_init(boot)
        subprocess.run(["/bin/sh", "-c", self._stop_script(boot)], check=False, stdout=subprocess.DEVNULL)
        return [*told, f"stopped the services of {boot.services}"]

    def active(self, boot: Boot) -> bool:
        """True when a child of init's is a runsvdir that scans the directory."""
        return 1 in scripts.running(boot).values()

    @abstractmethod
    def _lines(self) -> tuple[str, str, Callable[[str], bool]]:
        """The first three fields of the line that starts and of the one that stops, and before which lines the latter stands."""

    @abstractmethod
    def _stop_script(self, boot: Boot) -> str:
        """What ends the services in order."""

    @abstractmethod
    def _listen(self) -> None:
        """Let init read its table again."""

    def _wait_for_init(self, boot: Boot) -> None:  # noqa: B027 - nothing to do is what most do
        """Wait until init has done to runsvdir what it does to a line's process that is gone; most do nothing."""


def unfit(root: Path) -> Iterator[Problem]:
    """Give why no line can be put there."""
    file = on_host(root, PATH)
    if file.is_symlink():
        hint = "put the file itself in its place; it is to be replaced at once, and a link would be lost"
        yield Problem(f"a symbolic link to {file.readlink()}", path=PATH, hint=hint)
    elif not file.exists():
        yield Problem("No such file", path=PATH, hint="is this a host of an init that reads it? name its init with --init")


def strangers(root: Path) -> Iterator[tuple[int, list[str]]]:
    """Give the lines that are not ours, numbered from 1, in their fields."""
    text = (read(on_host(root, PATH)) or b"").decode(errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        fields = fields_of(line)
        if fields and not fields[3].startswith(f"{scripts.FOLDER}/runsvdir-"):
            yield number, fields


def fields_of(line: str) -> list[str]:
    """Split a line into id, levels, action and process; empty for a comment, and for what is no entry."""
    fields = line.split(":", 3)
    return [] if line.lstrip().startswith("#") or len(fields) < 4 else fields
