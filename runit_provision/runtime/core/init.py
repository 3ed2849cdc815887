"""The life of a host, as process 1 of runit leads it; runit(8).

    stage 1 --> stage 2 --> stage 3 --> kill what is left, reboot or power off

Stage 1 sets the host up; if it crashes or exits 100, stage 2 is left out. Stage 2 is services, and returns when the host goes
down; if it crashes or exits 111 it is begun again. Signals count during stage 2 only: CONT asks for the way down, if the file
`stopit` allows it, and INT is Ctrl-Alt-Del, for which the script `ctrlaltdel` prepares the way down.
"""

from __future__ import annotations

STAGES = (b"/etc/runit/1", b"/etc/runit/2", b"/etc/runit/3")
FIRST, SECOND, THIRD = range(3)
OVER = 3

CTRL_ALT_DEL = b"/etc/runit/ctrlaltdel"
NO_SYNC = b"/etc/runit/nosync"
STOP_FILES = (b"/run/runit.stopit", b"/etc/runit/stopit")
REBOOT_FILES = (b"/run/runit.reboot", b"/etc/runit/reboot")
"""Debian's places and upstream's. Executable by its owner, a file says yes."""

RESTART_PAUSE = 5
STOP_PATIENCE = 5
CHECK_EVERY = 14
"""Seconds: after stage 2 crashed; until it is killed; until zombies are looked for though no signal told of one."""

INFO = b"- runit: "
WARNING = b"- runit: warning: "
FATAL = b"- runit: fatal: "


class Ended:
    """What is to be done when a stage has ended: lines to print, the stage that follows, whether to kill what stage 2 left first."""

    __slots__ = ("kills", "last_lines", "lines", "next_stage")

    def __init__(self, lines: list[bytes], next_stage: int, *, kills: bool = False, last_lines: tuple[bytes, ...] = ()) -> None:
        self.lines = lines
        self.next_stage = next_stage
        self.kills = kills
        self.last_lines = last_lines


def ended(stage: int, code: int) -> Ended:
    """Say what follows when `stage` ended with `code`: its exit status, negative for the signal that ended it."""
    path = STAGES[stage]
    leave = INFO + b"leave stage: " + path
    lines = []
    if code:
        lines.append(WARNING + (b"child failed: " if code > 0 else b"child crashed: ") + path)
    if stage == FIRST and (code < 0 or code == 100):
        return Ended([*lines, leave, WARNING + b"skipping stage 2..."], THIRD)
    if stage == SECOND and (code < 0 or code == 111):
        lines.append(WARNING + b"killing all processes in stage 2...")
        return Ended(lines, SECOND, kills=True, last_lines=(WARNING + b"restarting.",))
    return Ended([*lines, leave], stage + 1)
