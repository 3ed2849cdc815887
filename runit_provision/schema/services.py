"""Services of the data, with every default resolved to what it means in its tree."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from runit_provision.model.logging import Log, Logger
from runit_provision.model.process import Credentials, Limits, Lock, Process, Stream, Variable, lines_can_see
from runit_provision.model.run import Argv, CommandLine, Run, Scan, Script
from runit_provision.model.service import Delegate, Service, Stop
from runit_provision.model.tree import Ensure, OnChange, Origin, Owner
from runit_provision.schema.contents import Contents
from runit_provision.schema.endings import Ending
from runit_provision.schema.fields import NAME_MAX, variables
from runit_provision.schema.health import Health
from runit_provision.schema.logs import read_log
from runit_provision.schema.place import Place
from runit_provision.schema.problems import Path
from runit_provision.schema.registry import Entry, Registry
from runit_provision.schema.service_spec import ServiceSpec
from runit_provision.schema.settings import read_settings
from runit_provision.schema.shape import IN_THE_SCRIPT

_ONCE = re.compile(r"\bsv\s+(-\S+\s+(\d+\s+)?)*o")
_STREAMS = {"stdin": Stream.INPUT, "stdout": Stream.OUTPUT, "stderr": Stream.ERROR}


def register(specs: Mapping[str, ServiceSpec], place: Place, registry: Registry) -> list[Reader]:
    """Enter the services of one tree, by name, and give what reads them when all are entered."""
    return [reader for key in sorted(specs) for reader in _readers(key, specs[key], place, registry)]


def read_services(readers: list[Reader]) -> tuple[Service, ...]:
    """Give the services of one tree."""
    return tuple(reader.service() for reader in readers)


def _readers(key: str, spec: ServiceSpec, place: Place, registry: Registry) -> list[Reader]:
    """Give the service, or one for each of its instances."""
    if spec.instances is None:
        return [Reader(key, key, spec, place, registry)]
    path = (*place.path, key, "instances")
    if not spec.instances:
        place.problems.add(path, "is empty: no service would come of it", hint="name some, or let the service be `ensure: absent`")
    for index, instance in place.problems.again(path):
        place.problems.add((*path, index), f"{instance!r} is named twice", hint="name it once")
    for instance, own in spec.instances.items():
        if len(f"{key}_{instance}".encode()) > NAME_MAX:
            place.problems.add((*path, instance), f"with the service's name it is longer than {NAME_MAX} bytes")
        if own and own.instances is not None:
            place.problems.add((*path, instance, "instances"), "an instance has none of its own", hint="let it be a service")
    return [
        Reader(f"{key}_{instance}", key, own or spec, place, registry, instance, apart=own is not None)
        for instance, own in _in_order(spec.instances)
    ]


def _in_order(instances: dict[str, ServiceSpec | None]) -> Iterable[tuple[str, ServiceSpec | None]]:
    """Give the instances as a list has them; a hash has no order."""
    return instances.items() if None in instances.values() else sorted(instances.items())


class Reader:
    """Reads one service, which stands in the data under `key`; apart: `instances` there has data of its own for this one."""

    def __init__(
        self,
        name: str,
        key: str,
        spec: ServiceSpec,
        place: Place,
        registry: Registry,
        instance: str | None = None,
        *,
        apart: bool = False,
    ) -> None:
        self.name = name
        self.spec = spec
        self.place = place
        self.registry = registry
        self.instance = instance
        self.whole: Path = (*place.path, key)
        self.path: Path = (*self.whole, "instances", instance) if apart and instance else self.whole
        link = spec.link if spec.link is None or instance is None else f"{spec.link}_{instance}"
        self.link = f"{place.service_directory}/{link or name}"
        self.directory = f"{f'{spec.basedir}/runit' if spec.basedir else place.definitions}/{name}"
        self.id = place.prefix + name
        if len(f"{place.log_prefix}{name}".encode()) > NAME_MAX:
            self.problem(f"with the names of the trees around it it is longer than {NAME_MAX} bytes, its log directory's name")
        delegate = spec.delegate.user if spec.delegate else None
        judged = not (spec.one_shot and spec.finish and spec.finish.run)
        registry.add(Entry(self.id, self.link, place.account, spec.one_shot, judged, spec.run is not None, delegate))
        self.children = [] if spec.services is None else register(spec.services, self._inner_place(), registry)
        self.health: Health | None = None

    def look_around(self) -> None:
        """Find the services that this one, and those nested in it, speak of; every service has to be entered before."""
        self.health = Health(self.spec, self.place, self.registry, self.path)
        for child in self.children:
            child.look_around()

    def problem(self, message: str, *at: str | int, hint: str = "") -> None:
        self.place.problems.add((*self.path, *at), message, hint=hint)

    def service(self) -> Service:
        """Give it, with every default resolved; `look_around` has to be called before."""
        spec, place = self.spec, self.place
        assert self.health is not None
        children = read_services(self.children)
        log = read_log(self.name, spec, place, self.path)
        enabled, ensure = self._state()
        self._check_syntax()
        contents = Contents(place, self._known(log))
        endings = Ending(spec, place, contents, self.path)
        finish = endings.finish(self.health.notices)
        control, killed_after = endings.control(finish)
        return Service(
            name=self.name,
            id=self.id,
            directory=self.directory,
            link=self.link,
            run=self._run(contents),
            origin=place.problems.origin(self.whole),
            before=spec.before,
            process=self._process(logged=log is not None),
            one_shot=spec.one_shot,
            ending=finish,
            check=self.health.check(contents, [child for child in children if child.ensure is not Ensure.ABSENT]),
            tells=spec.ready is not None,
            control=control,
            settings=read_settings(spec, killed_after, place, self.path),
            folders=self._folders(log),
            delegate=self._delegate(),
            stop=Stop(spec.stop.seconds, spec.stop.kill) if spec.stop else None,
            log=log,
            requirements=self.health.requirements,
            watched=self.id in self.registry.watched,
            files=contents.files(spec.files, self._program(), (*self.path, "files")),
            children=children,
            ensure=ensure,
            enabled=enabled,
            on_change=OnChange(spec.on_change),
            origins=self._origins(),
        )

    def _folders(self, log: Log | None) -> tuple[str, ...]:
        """Give the directories that hold those of this service alone."""
        spec, place = self.spec, self.place
        if spec.basedir:
            place.check_inside("basedir", f"{spec.basedir}/runit", self.path)
        of_basedir = (spec.basedir, f"{spec.basedir}/runit") if spec.basedir else ()
        named = isinstance(log, Logger) and log.directory == f"{spec.logdir or f'{spec.basedir}/logs'}/{place.log_prefix}{self.name}"
        return (*of_basedir, log.directory.rpartition("/")[0]) if isinstance(log, Logger) and named else of_basedir

    def _known(self, log: Log | None) -> dict[str, str | None]:
        """Give what every template knows of the service."""
        spec, account = self.spec, self.place.account
        user = self.place.accounts.get(spec.user, account) if spec.user else account
        return {
            "name": self.name,
            "id": self.id,
            "instance": self.instance,
            "directory": self.directory,
            "link": self.link,
            "user": user.name,
            "group": spec.group or user.group,
            "home": spec.home or user.home,
            "log_directory": log.directory if isinstance(log, Logger) else None,
        }

    def _program(self) -> str:
        command = self.spec.command
        return command.split()[0] if isinstance(command, str) else command[0] if command else ""

    def _check_syntax(self) -> None:
        """Have the shell read the lines that people wrote for it."""
        spec = self.spec
        texts: dict[Path, str] = {("before",): spec.before}
        if isinstance(spec.command, str):
            texts["command",] = spec.command
        if spec.finish:
            texts["finish", "lines"] = spec.finish.lines
        for path, text in texts.items():
            self.place.check_syntax(text, (*self.path, *path))

    def _origins(self) -> dict[str, Origin]:
        """Give where each key was written, and each item of the hashes that become one file an item."""
        spec = self.spec
        paths: list[Path] = [(key,) for key in spec.model_fields_set]
        paths += [(key, name) for key in ("env", "files", "control") for name in getattr(spec, key)]
        paths += [("limits", name) for name in spec.limits.model_fields_set]
        return self.place.problems.origins(self.path, paths)

    def _inner_place(self) -> Place:
        """Give the place of a nested tree."""
        return replace(
            self.place,
            service_directory=f"{self.directory}/service",
            definitions=f"{self.directory}/sv",
            log_prefix=f"{self.place.log_prefix}{self.name}.",
            path=(*self.path, "services"),
            prefix=f"{self.id}/",
        )

    def _run(self, contents: Contents) -> Run:
        spec = self.spec
        given = [key for key, value in (("command", spec.command), ("run", spec.run), ("services", spec.services)) if value is not None]
        if len(given) > 1:
            self.problem(f"says in {len(given)} ways what runs: {', '.join(given)}", given[1], hint="keep one")
        if not given and spec.ensure != "absent":
            self.problem("says nothing of what runs", hint="give `command`, `run` or `services`")
        if spec.run is not None:
            found = contents.script(spec.run, (*self.path, "run"))
            self._unused_beside(found)
            return found
        if spec.services is not None:
            if not spec.services:
                self.problem("is empty: there is nothing to supervise", "services")
            return Scan("./service", 0)
        command = spec.command if spec.command is not None else ""
        return CommandLine(command) if isinstance(command, str) else Argv(tuple(command))

    def _unused_beside(self, run: Script) -> None:
        """A script of one's own says all that it does; what would have to be written into it is refused, not ignored."""
        spec = self.spec
        nothing_of = (*IN_THE_SCRIPT, "delegate", *([] if spec.run and spec.run.template else ["instances"]))
        for key in sorted(spec.model_fields_set.intersection(nothing_of)):
            if key == "delegate" and self.place.shipped:
                continue  # the supervisor sees to it
            if getattr(spec, key) != type(spec).model_fields[key].get_default(call_default_factory=True):
                self.problem(
                    "has no effect beside `run`, which is the whole script", key, hint="use `command`, or say it in the script"
                )
        if spec.one_shot and run.text and not _ONCE.search(run.text):
            self.problem("one_shot needs the script to say `sv o .` first", "run")

    def _state(self) -> tuple[bool, Ensure]:
        spec = self.spec
        if spec.down is not None and spec.enabled is not None and spec.down == spec.enabled:
            self.problem("`down` and `enabled` contradict each other", "down", hint="keep one")
        enabled = spec.enabled if spec.enabled is not None else not spec.down
        if spec.enabled is None and spec.down is None and spec.ensure == "stopped":
            enabled = False
        if spec.ensure is not None:
            return enabled, Ensure(spec.ensure)
        return enabled, Ensure.RUNNING if enabled else Ensure.ANY

    def _process(self, *, logged: bool) -> Process:
        spec = self.spec
        environment = variables(spec.env)
        if self.instance is not None:
            environment["INSTANCE"] = Variable("INSTANCE", self.instance, in_script=True)
        if spec.home:
            environment.setdefault("HOME", Variable("HOME", spec.home))
        if spec.before:
            for name in filter(lines_can_see, environment):
                environment[name] = replace(environment[name], in_script=True)
        return Process(
            credentials=self._credentials(),
            environment=tuple(environment[name] for name in sorted(environment)),
            environment_directories=tuple(spec.env_directories),
            directory=spec.directory,
            root=self._root(),
            umask=spec.umask,
            nice=self._nice(),
            limits=Limits(**spec.limits.model_dump()),
            lock=Lock(spec.lock.path, spec.lock.wait) if spec.lock else None,
            own_session=spec.session,
            closed=tuple(stream for name, stream in _STREAMS.items() if name in spec.close),
            argv0=spec.argv0,
            merge_stderr=logged if spec.stderr is None else spec.stderr == "log",
        )

    def _root(self) -> str | None:
        if self.spec.chroot and not self.place.privileged:
            self.problem(f"only root may change the root directory, and this tree belongs to {self.place.account.name}", "chroot")
        if self.spec.chroot and self.spec.directory:
            self.problem("has no effect beside `chroot`: the program starts in its root", "directory", hint="let the program change it")
        return self.spec.chroot

    def _nice(self) -> int:
        if self.spec.nice < 0 and not self.place.privileged:
            self.problem(f"only root may be less nice, and this tree belongs to {self.place.account.name}", "nice")
        return self.spec.nice

    def _credentials(self) -> Credentials | None:
        spec, place = self.spec, self.place
        if not (spec.user or spec.group or spec.groups):
            return None
        account = place.find_account(spec.user, (*self.path, "user")) if spec.user else place.account
        group = spec.group if spec.group != account.group else None
        if account.name == place.account.name and group is None and not spec.groups:
            return None
        if not place.privileged:
            key = "user" if account.name != place.account.name else "group" if group else "groups"
            self.problem(f"only root may become another user or group, and this tree belongs to {place.account.name}", key)
        numbers = {name: place.find_group(name, (*self.path, *at)) for name, at in self._groups()}
        if spec.chroot:  # where names cannot be looked up
            group = None if group is None else str(numbers.get(group, group))
            return Credentials(account, group, tuple(str(numbers.get(name, name)) for name in spec.groups))
        return Credentials(account, group, tuple(spec.groups))

    def _groups(self) -> Iterator[tuple[str, Path]]:
        """Give each group that is named, and where."""
        if self.spec.group:
            yield self.spec.group, ("group",)
        for index, name in enumerate(self.spec.groups):
            yield name, ("groups", index)

    def _delegate(self) -> Delegate | None:
        spec = self.spec.delegate
        if spec is None:
            return None
        if not (spec.user or spec.group):
            self.problem("names nobody", "delegate", hint="give `user` or `group`")
        if spec.user:
            self.place.find_account(spec.user, (*self.path, "delegate", "user"))
        if spec.group:
            self.place.find_group(spec.group, (*self.path, "delegate", "group"))
        if not self.place.privileged:
            self.problem(f"only root may give control away, and this tree belongs to {self.place.account.name}", "delegate")
        return Delegate(spec.user, spec.group, Owner(spec.user or self.place.account.name, spec.group) if self.place.shipped else None)
