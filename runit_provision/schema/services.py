"""Services of the data, with every default resolved to what it means in its tree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from runit_provision.model.ending import Ending, Finish, Mail, Restarts, TreeEnd
from runit_provision.model.health import Check, Command, Exists, Http, Peer, Probe, Probes, Settled, Tcp, Unix
from runit_provision.model.health import Services as Running
from runit_provision.model.process import Credentials, Limits, Lock, Process, Stream, Variable
from runit_provision.model.run import Argv, CommandLine, Run, Scan, Script
from runit_provision.model.service import Control, Delegate, ExtraFile, HangUp, Requirements, Service, Stop
from runit_provision.model.tree import Ensure, OnChange, Origin
from runit_provision.schema.fields import variables
from runit_provision.schema.logs import read_log
from runit_provision.schema.place import Place
from runit_provision.schema.problems import Path, nearest
from runit_provision.schema.service_spec import LETTERS, ProbeSpec, RestartSpec, ServiceSpec

PATIENCE = 60
"""Seconds that a tree may take to end before what is left of it is killed."""
CHECK_TIMEOUT = 5
"""Seconds that one probe may take."""
_IN_THE_SCRIPT = (
    *("before", "requires", "delegate", "instances", "user", "group", "groups", "env", "env_directories", "directory"),
    *("chroot", "umask", "nice", "lock", "session", "close", "argv0", "home", "limits"),
)
_OURS = frozenset(
    "run finish check down env control log supervise service sv restart_count last_finish gave_up".split()  # noqa: SIM905 -- a list of words
)
_FOR_THE_SHELL = re.compile(r"[\n;&|<>()$`{}#!]")
"""What a command has in it when more than words and quotes can be wrong with it."""
_STREAMS = {"stdin": Stream.INPUT, "stdout": Stream.OUTPUT, "stderr": Stream.ERROR}


def read_services(specs: Mapping[str, ServiceSpec], place: Place) -> tuple[Service, ...]:
    """Give the services of one tree, by name."""
    readers = [reader for key in sorted(specs) for reader in _readers(key, specs[key], place)]
    place = replace(place, peers={reader.name: Peer(reader.link, reader.spec.one_shot) for reader in readers})
    for reader in readers:
        reader.place = place
    return tuple(reader.service() for reader in readers)


def _readers(key: str, spec: ServiceSpec, place: Place) -> list[_Reader]:
    """Give the service, or one for each of its instances."""
    if not spec.instances:
        return [_Reader(key, key, spec, place)]
    return [_Reader(f"{key}_{instance}", key, spec, place, instance) for instance in spec.instances]


class _Reader:
    """Reads one service, which stands in the data under `key`."""

    def __init__(self, name: str, key: str, spec: ServiceSpec, place: Place, instance: str | None = None) -> None:
        self.name = name
        self.spec = spec
        self.place = place
        self.instance = instance
        self.path: Path = (*place.path, key)
        link = spec.link if spec.link is None or instance is None else f"{spec.link}_{instance}"
        self.link = f"{place.service_directory}/{link or name}"
        self.directory = f"{f'{spec.basedir}/runit' if spec.basedir else place.definitions}/{name}"

    def problem(self, message: str, *at: str | int, hint: str = "") -> None:
        self.place.problems.add((*self.path, *at), message, hint=hint)

    def service(self) -> Service:
        spec, place = self.spec, self.place
        children = self._children()
        log = read_log(self.name, spec, place, self.path)
        enabled, ensure = self._state()
        self._check_syntax()
        return Service(
            name=self.name,
            id=place.prefix + self.name,
            directory=self.directory,
            link=self.link,
            run=self._run(),
            origin=place.problems.origin(self.path),
            before=spec.before,
            process=self._process(logged=log is not None),
            one_shot=spec.one_shot,
            ending=self._ending(),
            check=self._check(children),
            control=self._control(),
            delegate=self._delegate(),
            stop=Stop(spec.stop.seconds, spec.stop.kill) if spec.stop else None,
            log=log,
            requirements=self._requirements(),
            files=self._files(),
            children=children,
            ensure=ensure,
            enabled=enabled,
            on_change=OnChange(spec.on_change),
            origins=self._origins(),
        )

    def _check_syntax(self) -> None:
        """Have the shell read whatever people wrote for it."""
        spec = self.spec
        texts: dict[Path, str | None] = {("run",): spec.run, ("before",): spec.before}
        if isinstance(spec.command, str) and _FOR_THE_SHELL.search(spec.command):
            texts["command",] = spec.command
        if spec.finish:
            texts |= {("finish", "run"): spec.finish.run, ("finish", "lines"): spec.finish.lines}
        if spec.check:
            texts["check", "run"] = spec.check.run
        texts |= {("control", letter): text for letter, text in spec.control.items()}
        shown = {path: item.content.text for path, item in spec.files.items() if not item.content.secret}
        texts |= {("files", path, "content"): text for path, text in shown.items() if text.startswith("#!")}
        for path, text in texts.items():
            self.place.check_syntax(text or "", (*self.path, *path))

    def _origins(self) -> dict[str, Origin]:
        """Give where each key was written, and each item of the hashes that become one file an item."""
        spec = self.spec
        paths: list[Path] = [(key,) for key in spec.model_fields_set]
        paths += [(key, name) for key in ("env", "files", "control") for name in getattr(spec, key)]
        paths += [("limits", name) for name in spec.limits.model_fields_set]
        return {".".join(map(str, path)): self.place.problems.origin((*self.path, *path)) for path in paths}

    def _children(self) -> tuple[Service, ...]:
        if self.spec.services is None:
            return ()
        inner = replace(
            self.place,
            service_directory=f"{self.directory}/service",
            definitions=f"{self.directory}/sv",
            log_prefix=f"{self.place.log_prefix}{self.name}.",
            path=(*self.path, "services"),
            prefix=f"{self.place.prefix}{self.name}/",
        )
        return read_services(self.spec.services, inner)

    def _run(self) -> Run:
        spec = self.spec
        given = [key for key, value in (("command", spec.command), ("run", spec.run), ("services", spec.services)) if value is not None]
        if len(given) > 1:
            self.problem(f"says in {len(given)} ways what runs: {', '.join(given)}", given[1], hint="keep one")
        if not given:
            self.problem("says nothing of what runs", hint="give `command`, `run` or `services`")
        if spec.run is not None:
            self._unused_beside_run()
            return Script(spec.run)
        if spec.services is not None:
            return Scan("./service", 0)
        command = spec.command if spec.command is not None else ""
        return CommandLine(command) if isinstance(command, str) else Argv(tuple(command))

    def _unused_beside_run(self) -> None:
        """A script of one's own says all that it does; what would have to be written into it is refused, not ignored."""
        spec = self.spec
        for key in sorted(spec.model_fields_set.intersection(_IN_THE_SCRIPT)):
            if getattr(spec, key) != type(spec).model_fields[key].get_default(call_default_factory=True):
                self.problem(
                    "has no effect beside `run`, which is the whole script", key, hint="use `command`, or say it in the script"
                )
        if spec.one_shot and "sv o" not in (spec.run or ""):
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
        return Process(
            credentials=self._credentials(),
            environment=tuple(environment[name] for name in sorted(environment)),
            environment_directories=tuple(spec.env_directories),
            directory=spec.directory,
            root=self._root(),
            umask=spec.umask,
            nice=spec.nice,
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
        return self.spec.chroot

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
        return Credentials(account, group, tuple(spec.groups))

    def _ending(self) -> Ending | None:
        spec = self.spec
        restarts = self._restarts()
        finish = spec.finish
        if finish and finish.run:
            if restarts or finish.mail or finish.lines:
                self.problem("`run` is the whole script: `restart`, `mail` and `lines` have no effect beside it", "finish")
            return Script(finish.run)
        mail = Mail(finish.mail.on_failure, finish.mail.on_stop) if finish and finish.mail else None
        tree = TreeEnd("./service", None, PATIENCE) if spec.services is not None else None
        lines = finish.lines if finish else ""
        return Finish(lines, tree, mail, restarts) if restarts or mail or tree or lines else None

    def _restarts(self) -> Restarts | None:
        spec = self.spec
        names = {"restart_count": "at_most", "restart_interval": "within", "clear_interval": "forget"}
        given = [key for key in names if getattr(spec, key) is not None]
        if spec.restart is None and not given:
            return None
        values = (spec.restart or RestartSpec()).model_dump()
        for key in given:
            if spec.restart and names[key] in spec.restart.model_fields_set:
                self.problem(f"says the same as `restart.{names[key]}`", key, hint="keep one")
            values[names[key]] = getattr(spec, key)
        return Restarts(values["at_most"], values["within"], values["forget"], values["back_off"])

    def _control(self) -> tuple[Control, ...] | str:
        if self.spec.control_from is not None:
            if self.spec.control:
                self.problem("cannot stand beside `control`", "control_from", hint="keep one")
            return self.spec.control_from
        controls = []
        for letter, text in sorted(self.spec.control.items()):
            if letter not in LETTERS or len(letter) != 1:
                self.problem("is no letter that runsv looks for", "control", letter, hint=f"known are {' '.join(LETTERS)}")
            controls.append(Control(letter, Script(text)))
        if self.spec.services is not None and "t" not in self.spec.control:
            controls.append(Control("t", HangUp()))
        return tuple(controls)

    def _delegate(self) -> Delegate | None:
        spec = self.spec.delegate
        if spec is None:
            return None
        if not (spec.user or spec.group):
            self.problem("names nobody", "delegate", hint="give `user` or `group`")
        if spec.user:
            self.place.find_account(spec.user, (*self.path, "delegate", "user"))
        if not self.place.privileged:
            self.problem(f"only root may give control away, and this tree belongs to {self.place.account.name}", "delegate")
        return Delegate(spec.user, spec.group)

    def _files(self) -> tuple[ExtraFile, ...]:
        """Give the other files; the one that the service runs restarts it, unless the data says otherwise."""
        command = self.spec.command
        program = command.split()[0] if isinstance(command, str) else command[0] if command else ""
        for path in self.spec.files:
            if path.split("/")[0] in _OURS:
                self.problem(f"{path} is written by other keys, or by the supervisor", "files", path)
        return tuple(
            ExtraFile(
                path,
                item.content.text,
                (0o600 if item.content.secret else 0o644) if item.mode is None else item.mode,
                item.content.secret,
                program == f"./{path}" if item.restarts is None else item.restarts,
            )
            for path, item in sorted(self.spec.files.items())
        )

    def _check(self, children: tuple[Service, ...]) -> Check | None:
        check = self.spec.check
        if check is None:
            inner = tuple(f"./service/{child.link.rpartition('/')[2]}" for child in children if child.ensure is not Ensure.ABSENT)
            return Probes((Settled(inner),), CHECK_TIMEOUT) if inner else None
        if check.run:
            return Script(check.run)
        probes = tuple(self._probe(probe, index) for index, probe in enumerate(check.all))
        return Probes(tuple(probe for probe in probes if probe), check.timeout) if probes else None

    def _probe(self, spec: ProbeSpec, index: int) -> Probe | None:
        given = sorted(spec.model_fields_set)
        if len(given) != 1:
            self.problem("has to hold exactly one key", "check", index)
            return None
        if spec.tcp is not None:
            host, _, port = spec.tcp.rpartition(":")
            if not port.isdigit() or not 0 < int(port) < 65536:
                self.problem(f"{spec.tcp!r} is not `port` or `host:port`", "check", index, "tcp")
                return None
            return Tcp(host.strip("[]") or "127.0.0.1", int(port))
        if spec.http is not None:
            return Http(spec.http)
        if spec.unix is not None:
            return Unix(spec.unix)
        if spec.file is not None:
            return Exists(spec.file)
        if spec.command is not None:
            return Command(tuple(spec.command))
        return Running(self._peers(spec.services or [], "check", index, "services"))

    def _peers(self, names: list[str], *at: str | int) -> tuple[Peer, ...]:
        """Give services of the same tree; a name that none of them has is a problem."""
        peers = self.place.peers
        for name in names:
            if name not in peers:
                self.problem(f"there is no service {name!r} in this tree", *at, hint=nearest(name, peers))
        return tuple(peers[name] for name in names if name in peers)

    def _requirements(self) -> Requirements | None:
        spec = self.spec
        peers = self._peers(spec.requires, "requires")
        ids = tuple(self.place.prefix + name for name in spec.requires)
        return Requirements(ids, peers, spec.requires_timeout) if peers else None
