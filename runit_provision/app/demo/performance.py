"""The demo from its first to its last moment: whatever happens between, nothing is left running and nothing is left on disk."""

from __future__ import annotations

import shlex
import sys
import time
from contextlib import closing
from pathlib import Path

from runit_provision.app.demo.interruption import Interruptions
from runit_provision.app.demo.narrator import Narrator
from runit_provision.app.demo.stage import Stage
from runit_provision.app.demo.story import Story
from runit_provision.app.demo.supervision import Supervision
from runit_provision.errors import HostError, Problem

_PATIENCE = 60.0
"""Seconds that all services together may take to end in order on a crowded machine, and again for what then has to be killed."""
_MOMENT = 20.0
"""Seconds in which what supervised has to follow runsvdir, likewise."""
_ALL_GONE = 111
"""What runsvdir exits with after HUP."""


def perform(narrator: Narrator, *, keep: bool) -> None:
    """Tell the story. keep: leave all as it is at the end, and say how to look around.

    Raises Interrupted when a signal came, and HostError or DataError when something was not as it should be; all after cleaning up.
    """
    began = time.monotonic()
    interruptions = Interruptions()
    supervision = Supervision()
    stage: Stage | None = None
    told = kept = False
    with interruptions.installed():
        try:
            try:
                with interruptions.held():
                    stage = Stage()
                with closing(Story(stage, supervision, interruptions, narrator)) as story:
                    story.tell()
                told = True
            finally:
                interruptions.quiet()
            kept = keep
        finally:
            if stage is not None and not kept:
                _clean(stage, supervision, narrator, told=told)
        if kept and stage is not None:
            _say_how_to_look_around(stage, supervision, narrator)
        else:
            narrator.say(f"That took {time.monotonic() - began:.1f} seconds.")


def _clean(stage: Stage, supervision: Supervision, narrator: Narrator, *, told: bool) -> None:
    """End all processes, in order if possible, and remove the directory, heard or not; say what was seen."""
    try:
        narrator.chapter("The end" if told else "Cleaning up")
    finally:
        try:
            status = supervision.stop(patience=_PATIENCE)
            in_order = status == _ALL_GONE and supervision.all_gone(patience=_MOMENT)
            killed = supervision.end(patience=_PATIENCE)
        finally:
            stage.remove()
    if told and (not in_order or killed):
        problems = [Problem("still ran after runsvdir had ended all services", path=command) for command in killed]
        raise HostError(*problems or [Problem(f"runsvdir ended with {status} instead of {_ALL_GONE}", path=str(stage.directory))])
    if in_order:
        narrator.command("kill -HUP RUNSVDIR")
        narrator.say(f"runsvdir ended all services in order and exited with {status}.")
    if supervision.left() or stage.directory.exists():
        raise HostError(Problem("something is left", path=str(stage.directory)))
    narrator.say(f"No process is left, and {stage.directory} is gone.")


def _say_how_to_look_around(stage: Stage, supervision: Supervision, narrator: Narrator) -> None:
    narrator.chapter("Kept, and still running")
    program = str(Path(sys.argv[0]).absolute())  # a virtual environment is not on that PATH
    narrator.say("Set the environment in your shell, and look around:")
    for name in ("PATH", "RUNIT_PROVISION_STATE", "RUNIT_PROVISION_LIB"):
        narrator.command(f"export {name}={shlex.quote(stage.environment[name])}")
    for line in (
        f"cd {shlex.quote(str(stage.directory))}",
        "sv status ./service/* ./home/apprun1/service/*",
        "tail -f home/apprun1/logs/ticker/current",
        f"${{EDITOR:-vi}} {shlex.quote(f'{stage.examples}/data/nodes/app1.example.com.yaml')}",
        shlex.join([program, "apply", "--hiera-config", f"{stage.examples}/hiera.yaml", "--facts", str(stage.facts)]),
    ):
        narrator.command(line)
    narrator.say("And when you have seen enough:")
    ended = f"kill -HUP {supervision.pid}; while kill -0 {supervision.pid} 2>/dev/null; do sleep 1; done"
    narrator.command(f"{ended}; rm -r {shlex.quote(str(stage.directory))}")
