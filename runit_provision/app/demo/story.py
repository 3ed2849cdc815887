"""What happens in the demo, in order. Everything that is said was seen; what is not as it should be ends the demo with an error."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from runit_provision.app import living, provision
from runit_provision.app.demo.editing import change
from runit_provision.app.demo.interruption import Interruptions
from runit_provision.app.demo.narrator import Narrator
from runit_provision.app.demo.stage import NODE, Stage
from runit_provision.app.demo.supervision import Supervision
from runit_provision.app.desired import desire
from runit_provision.app.living import Living
from runit_provision.errors import HostError, Problem
from runit_provision.model.ending import Finish
from runit_provision.model.host import Host
from runit_provision.model.service import Service
from runit_provision.model.tree import Ensure, RenderedTree, ServiceTree

T = TypeVar("T")
_SHOWN = "apprun1/ticker"
_VALUE = ("runit", "users", "apprun1", "services", "ticker", "env", "GREETING")
_NEW_VALUE = "good evening"
_PATIENCE = 60.0
"""Seconds for what takes a moment on a machine that is not overloaded."""
_PACE = 0.02
_STEPS_SHOWN = 12


class Story:
    """One telling of the demo on a stage that is there."""

    def __init__(self, stage: Stage, supervision: Supervision, interruptions: Interruptions, narrator: Narrator) -> None:
        self._stage = stage
        self._supervision = supervision
        self._interruptions = interruptions
        self._narrator = narrator
        self._machine = stage.target.machine()
        self._ending: set[str] = set()

    def close(self) -> None:
        """Close what is open."""
        self._machine.close()

    def tell(self) -> None:
        """Tell all but the end."""
        self._lay()
        tree = self._look_up_and_render()
        self._apply_first()
        services = [service for service in tree.services if service.ensure is not Ensure.ABSENT]
        self._start(services)
        self._show_log()
        self._kill()
        self._kill_supervisor(services)
        self._change(services)

    def _lay(self) -> None:
        self._narrator.chapter("A host below one directory")
        self._stage.lay()
        self._narrator.say(f"Everything is below {self._stage.directory}, in the hands of {self._stage.account}.")
        self._narrator.say("The data are the examples that the package ships; the runtime is laid beside them.")
        self._narrator.command(f"runit-provision runtime install --prefix {self._stage.runtime}")

    def _look_up_and_render(self) -> RenderedTree:
        self._narrator.chapter("From data to files")
        hierarchy = self._stage.source.hierarchy()
        self._stage.make_homes(list(hierarchy.lookup("runit.users", merge="deep")))
        key = ".".join(_VALUE)
        self._narrator.command(f"runit-provision lookup {key} {self._options()}")
        self._narrator.lines([str(hierarchy.lookup(key, merge="deep"))])
        desired = desire(self._stage.source, self._machine.accounts)
        tree = desired.tree
        self._ending = {service.id for service in _all(desired.host) if isinstance(service.ending, Finish) and service.ending.restarts}
        run = next(node for node in tree if node.service == _SHOWN and node.path.endswith(f"{_SHOWN.split('/')[1]}/run"))
        self._narrator.say(
            f"{len(tree.nodes)} paths of {len(tree.services)} services were rendered. One of them, {self._short(run.path)}:"
        )
        self._narrator.lines(getattr(run.entry, "content", b"").decode().splitlines())
        return tree

    def _apply_first(self) -> None:
        self._narrator.chapter("The plan, and doing it")
        self._narrator.command(f"runit-provision plan {self._options()}")
        planned = provision.plan(self._stage.source, self._stage.target)
        steps = self._steps(planned)
        of_services = [line for line in steps if line.startswith("!")]
        of_paths = [line for line in steps[:-1] if not line.startswith("!")]
        more = [f"  ... and {len(of_paths) - _STEPS_SHOWN} more paths"] if len(of_paths) > _STEPS_SHOWN else []
        self._narrator.plan([*of_paths[:_STEPS_SHOWN], *more, *of_services, steps[-1]])
        self._apply()

    def _start(self, services: list[ServiceTree]) -> None:
        self._narrator.chapter("Supervised by the shipped runtime")
        began = time.monotonic()
        self._start_runsvdir()
        up: set[str] = set()

        def all_up() -> bool:
            lives = self._look(services)
            up.update(each.service.id for each in lives if each.life.running)
            return all(each.life.supervised and (each.service.id in up or not _starts(each.service)) for each in lives)

        self._until(all_up, "every service is up")
        self._narrator.say(f"All services were up {time.monotonic() - began:.1f} seconds after runsvdir was started.")
        self._show_table(services)

    def _show_log(self) -> None:
        self._narrator.chapter("Logs")
        current = self._stage.directory / "home/apprun1/logs/ticker/current"
        self._narrator.command(f"tail {current}")
        self._narrator.lines(self._until(lambda: _last_lines(current, 2), "two log lines"))

    def _kill(self) -> None:
        self._narrator.chapter("A service dies")
        service = self._service(_SHOWN)
        old = self._look([service])[0].life.pid
        self._narrator.command(f"kill -KILL {old}")
        began = time.monotonic()
        os.kill(old, signal.SIGKILL)
        new = self._until(lambda: self._renewed(service, old), "the service is back")
        self._narrator.say(f"{_SHOWN} is back after {(time.monotonic() - began) * 1000:.0f} ms: its pid was {old} and is {new}.")

    def _kill_supervisor(self, services: list[ServiceTree]) -> None:
        self._narrator.chapter("The supervisor dies")
        before = self._steady_pids(services)
        self._narrator.command(f"kill -KILL {self._supervision.pid}")
        self._supervision.kill()
        self._start_runsvdir()
        self._refuse_other_pids(before, services)
        self._narrator.say(f"runsvdir was killed, and started again as init does. All {len(before)} services run on with their pids.")

    def _change(self, services: list[ServiceTree]) -> None:
        self._narrator.chapter("One value changes")
        file = self._stage.examples / f"data/nodes/{NODE}.yaml"
        self._narrator.diff(change(file, _VALUE, _NEW_VALUE))
        self._narrator.command(f"runit-provision plan {self._options()}")
        self._narrator.plan(self._steps(provision.plan(self._stage.source, self._stage.target)))
        before = self._steady_pids(services)
        old = before.pop(_SHOWN)
        self._apply()
        shown = self._service(_SHOWN)
        new = self._until(lambda: self._renewed(shown, old), "the changed service is back")
        self._refuse_other_pids(before, services)
        self._narrator.say(f"Only {_SHOWN} was restarted: its pid was {old} and is {new}.")
        self._narrator.say(f"The other {len(before)} services kept theirs: {', '.join(before)}.")
        self._narrator.say(
            f"Not counted: {', '.join(sorted(self._ending))} ends by itself every few seconds, and its finish counts that."
        )
        current = self._stage.directory / "home/apprun1/logs/ticker/current"
        said = self._until(lambda: [line for line in _last_lines(current, 1) if _NEW_VALUE in line], "a line with the new value")
        self._narrator.lines(said)
        again = provision.plan(self._stage.source, self._stage.target)
        self._narrator.plan(self._steps(again))
        self._show_table(services)

    def _start_runsvdir(self) -> None:
        with self._interruptions.held():
            program, log = self._stage.runtime / "bin/runsvdir", self._stage.directory / "runsvdir.log"
            self._supervision.start(program, self._stage.services, environment=self._stage.environment, log=log)
        self._narrator.command(f"runsvdir -P {self._stage.services}")

    def _steady_pids(self, services: list[ServiceTree]) -> dict[str, int]:
        """Give the pids of the services that run, and do not end by themselves."""
        lives = self._look(services)
        steady = [each for each in lives if each.life.running and not each.service.one_shot and each.service.id not in self._ending]
        return {each.service.id: each.life.pid for each in steady}

    def _refuse_other_pids(self, before: dict[str, int], services: list[ServiceTree]) -> None:
        after = self._until(lambda: self._supervised_pids(services), "every service is supervised")
        if disturbed := [name for name, pid in before.items() if after[name] != pid]:
            raise HostError(*(Problem("was restarted without need", path=name) for name in disturbed))

    def _supervised_pids(self, services: list[ServiceTree]) -> dict[str, int]:
        """Give all pids as one look shows them, or nothing while a service passes from one supervisor to the next."""
        lives = self._look(services)
        return {each.service.id: each.life.pid for each in lives} if all(each.life.supervised for each in lives) else {}

    def _apply(self) -> None:
        self._narrator.command(f"runit-provision apply {self._options()}")
        report = provision.apply(
            self._stage.source, self._stage.target, lock_timeout=0.0, service_timeout=_PATIENCE, announce=lambda _: None
        )
        if not report.ok:
            raise HostError(*report.problems)
        self._narrator.lines([self._short(line) for line in report.lines()[-1:]])

    def _steps(self, planned: provision.Planned) -> list[str]:
        from runit_provision.plan import describe

        return [self._short(line) for line in describe(planned.plan, diff=False)]

    def _show_table(self, services: list[ServiceTree]) -> None:
        self._narrator.table(self._look(services))

    def _look(self, services: list[ServiceTree]) -> list[Living]:
        return living.look(self._machine, services)

    def _service(self, name: str) -> ServiceTree:
        return desire(self._stage.source, self._machine.accounts).tree.service(name)

    def _renewed(self, service: ServiceTree, old: int) -> int:
        life = self._look([service])[0].life
        return life.pid if life.running and life.pid != old else 0

    def _until(self, seen: Callable[[], T], what: str) -> T:
        deadline = time.monotonic() + _PATIENCE
        while not (answer := seen()):
            self._interruptions.check()
            if self._supervision.died():
                raise HostError(Problem("runsvdir ended by itself", path=str(self._stage.directory / "runsvdir.log")))
            if time.monotonic() > deadline:
                raise HostError(Problem(f"not within {_PATIENCE:.0f} seconds: {what}", path=str(self._stage.directory)))
            time.sleep(_PACE)
        return answer

    def _options(self) -> str:
        return f"--hiera-config {self._stage.examples}/hiera.yaml --facts {self._stage.facts}"

    def _short(self, text: str) -> str:
        return text.replace(f"{self._stage.directory}/", "")


def _all(host: Host) -> Iterator[Service]:
    """Give every service of the host and its users, nested ones included."""
    todo = [*host.tree.services, *(service for user in host.users for service in user.tree.services)]
    while todo:
        service = todo.pop()
        todo += service.children
        yield service


def _starts(service: ServiceTree) -> bool:
    """True for what is up once runsvdir has it; a one-shot may have ended before anybody looked."""
    return service.ensure is Ensure.RUNNING and service.enabled and not service.one_shot


def _last_lines(file: Path, number: int) -> list[str]:
    """Give the last lines of a log, or none while there are fewer."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return lines[-number:] if len(lines) >= number else []
