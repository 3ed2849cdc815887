"""How a service ends: the signal, what follows, and whether it comes again."""

from __future__ import annotations

from dataclasses import replace

from runit_provision.model.ending import Ending as Finishing
from runit_provision.model.ending import Finish, Mail, Notice, Restarts, TreeEnd
from runit_provision.model.run import Script
from runit_provision.model.service import HANG_UP, Control, Shared, Stopping
from runit_provision.schema.contents import Contents
from runit_provision.schema.ending_spec import RestartSpec
from runit_provision.schema.place import Place
from runit_provision.schema.problems import Path
from runit_provision.schema.service_spec import LETTERS, ServiceSpec
from runit_provision.schema.shape import NEVER_AGAIN

PATIENCE = 60
"""Seconds that a tree may take to end before what is left of it is killed."""
_SIGNALS = {"hup": "h", "alarm": "a", "interrupt": "i", "quit": "q", "1": "1", "2": "2", "term": "t", "kill": "k"}
"""sv's letter for each signal."""


class Ending:
    """Reads those keys of one service, which stands at `path`."""

    def __init__(self, spec: ServiceSpec, place: Place, contents: Contents, path: Path) -> None:
        self._spec = spec
        self._place = place
        self._contents = contents
        self._path = path

    def _problem(self, message: str, *at: str, hint: str = "") -> None:
        self._place.problems.add((*self._path, *at), message, hint=hint)

    def finish(self, notices: tuple[Notice, ...]) -> Finishing | None:
        """Give what happens when it has ended."""
        spec = self._spec
        restarts = self._restarts()
        finish = spec.finish
        if finish and finish.run:
            for key in ("lines", "mail"):
                if getattr(finish, key):
                    self._problem("has no effect beside `run`, which is the whole script", "finish", key)
            for key, value in (("restart", restarts), ("notifies", notices)):
                if value:
                    self._problem("has no effect beside `finish`, which is a whole script", key, hint="say it in the script")
            return self._contents.script(finish.run, (*self._path, "finish", "run"))
        mail = Mail(finish.mail.on_failure, finish.mail.on_stop, finish.mail.interval) if finish and finish.mail else None
        tree = TreeEnd("./service", None, PATIENCE) if spec.services is not None else None
        lines = finish.lines if finish else ""
        if not (restarts or mail or tree or lines or notices or spec.one_shot):
            return None
        return Finish(lines, tree, mail, restarts, notices, finish.seconds if finish else None, once=spec.one_shot)

    def _restarts(self) -> Restarts | None:
        """Give how often it may end; of a one-shot nothing, which may only say `never`."""
        spec = self._spec
        if spec.one_shot:
            for key in spec.model_fields_set.intersection(NEVER_AGAIN):
                if key != "restart" or spec.restart is None or spec.restart.at_most:
                    self._problem("a one-shot stays down when it has ended", key, hint="leave this out, or `one_shot`")
            return None
        names = {"restart_count": "at_most", "restart_interval": "within", "clear_interval": "forget"}
        given = [key for key in names if getattr(spec, key) is not None]
        if spec.restart is None and not given:
            return None
        values = (spec.restart or RestartSpec()).model_dump()
        for key in given:
            if spec.restart and names[key] in spec.restart.model_fields_set:
                self._problem(f"says the same as `restart.{names[key]}`", key, hint="keep one")
            values[names[key]] = getattr(spec, key)
        return Restarts(values["at_most"], values["within"], values["forget"], values["back_off"])

    def control(self, finish: Finishing | None) -> tuple[tuple[Control, ...], int | None]:
        """Give what is done in place of signals, by letter, and the seconds after TERM until the supervisor kills.

        What is shared comes first, the service's own over it, and `stop` over both. finish: what follows an end, which may have to know
        why it came.
        """
        spec = self._spec
        scripts: dict[str, Script | Shared] = {}
        if spec.control_from is not None:
            scripts = {letter: Shared(f"{spec.control_from}/{letter}") for letter in LETTERS}
        for letter, script in spec.control.items():
            if letter not in LETTERS or len(letter) != 1:
                self._problem("is no letter that runsv looks for", "control", letter, hint=f"known are {' '.join(LETTERS)}")
            scripts[letter] = self._contents.script(script, (*self._path, "control", letter))
        stopping = self._stopping(scripts.pop("t", None), noted=isinstance(finish, Finish) and finish.asks_why)
        # The shipped supervisor itself counts the seconds from a TERM that it sends; else control/t has to.
        counted = self._place.shipped and stopping.letter == "t" and stopping.first is None
        timeout_kill = stopping.kill_after if counted else None
        if counted:
            stopping = replace(stopping, kill_after=None)
        actions: dict[str, Script | Shared | Stopping] = dict(scripts)
        if stopping != Stopping(first=stopping.first):
            actions["t"] = stopping
        elif stopping.first:
            actions["t"] = stopping.first
        return tuple(Control(letter, actions[letter]) for letter in sorted(actions)), timeout_kill

    def _stopping(self, own: Script | Shared | None, *, noted: bool) -> Stopping:
        """Give what is done at TERM; own: the script that is there for it."""
        spec = self._spec.stop
        says = spec is not None and "signal" in spec.model_fields_set
        if says and "t" in self._spec.control:
            self._problem("`control.t` is the whole of it: a signal has no effect beside it", "stop", hint="keep one")
        first = None if says else own
        letter = _SIGNALS[spec.signal] if spec else "t"
        if letter == "t" and first is None and self._spec.services is not None:
            letter = HANG_UP.letter
        return Stopping(letter, first, spec.seconds if spec and spec.kill else None, noted)
