"""How a service ends: the signal, what follows, and whether it comes again."""

from __future__ import annotations

from runit_provision.model.ending import Ending as Finishing
from runit_provision.model.ending import Finish, Mail, Notice, Restarts, TreeEnd
from runit_provision.model.service import HANG_UP, Control, StopSignal
from runit_provision.schema.contents import Contents
from runit_provision.schema.ending_spec import RestartSpec
from runit_provision.schema.place import Place
from runit_provision.schema.problems import Path
from runit_provision.schema.service_spec import LETTERS, ServiceSpec

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
        mail = Mail(finish.mail.on_failure, finish.mail.on_stop) if finish and finish.mail else None
        tree = TreeEnd("./service", None, PATIENCE) if spec.services is not None else None
        lines = finish.lines if finish else ""
        if not (restarts or mail or tree or lines or notices):
            return None
        return Finish(lines, tree, mail, restarts, notices, succeeded=spec.one_shot)

    def _restarts(self) -> Restarts | None:
        spec = self._spec
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

    def control(self, finish: Finishing | None) -> tuple[Control, ...] | str:
        """Give the scripts in place of signals, by letter, or whence they come.

        finish: what follows an end, which may have to know why it came.
        """
        spec = self._spec
        if spec.control_from is not None:
            if spec.control:
                self._problem("cannot stand beside `control`", "control_from", hint="keep one")
            if spec.stop and "signal" in spec.stop.model_fields_set:
                self._problem("`control_from` says what takes the place of TERM: a signal has no effect", "stop", hint="keep one")
            return spec.control_from
        controls: dict[str, Control] = {}
        for letter, script in spec.control.items():
            if letter not in LETTERS or len(letter) != 1:
                self._problem("is no letter that runsv looks for", "control", letter, hint=f"known are {' '.join(LETTERS)}")
            controls[letter] = Control(letter, self._contents.script(script, (*self._path, "control", letter)))
        stop = self._stop() or (StopSignal() if isinstance(finish, Finish) and finish.tells_failure else None)
        if stop and "t" in controls and spec.stop and "signal" in spec.stop.model_fields_set:
            self._problem("`control.t` is the whole of it: a signal has no effect beside it", "stop", hint="keep one")
        elif stop and "t" not in controls:
            controls["t"] = Control("t", stop)
        return tuple(controls[letter] for letter in sorted(controls))

    def _stop(self) -> StopSignal | None:
        """Give what is to be done in place of TERM; None when that is TERM."""
        spec = self._spec.stop
        if spec is None:
            return HANG_UP if self._spec.services is not None else None
        letter, after = _SIGNALS[spec.signal], spec.seconds if spec.kill else None
        if letter == "t" and self._spec.services is not None:
            letter = HANG_UP.letter
        return None if (letter, after) == ("t", None) else StopSignal(letter, after)
