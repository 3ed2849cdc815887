"""One service as nodes: its definition, its log directory, and the link that makes it live."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from runit_provision.model.ending import Finish
from runit_provision.model.health import Check, Probes, Services, Settled
from runit_provision.model.levels import Levels
from runit_provision.model.logging import Logger, Runner
from runit_provision.model.process import SYSTEM_PATH, Variable
from runit_provision.model.run import Scan, Script
from runit_provision.model.service import HANG_UP, Control, Delegate, ExtraDirectory, ExtraFile, Service, Shared, Stopping
from runit_provision.model.tree import SYSTEM, Directory, Effect, Ensure, Entry, File, Link, Node, Origin, Owner, Realm, ServiceTree
from runit_provision.render import endings, logs
from runit_provision.render.commands import command, credentials_word
from runit_provision.render.environment import content, filed, scripted
from runit_provision.render.folders import between
from runit_provision.render.pages import Pages
from runit_provision.render.parts import parts


@dataclass(frozen=True, slots=True)
class Rendered:
    """A service's nodes, the links that make it and its children live, and what apply has to know of each."""

    nodes: tuple[Node, ...]
    links: tuple[Node, ...]
    services: tuple[ServiceTree, ...]
    scanned: tuple[tuple[str, Realm], ...]


class ServiceRenderer:
    """Renders the services of one tree, `account`'s, which lies in `realm`; rsvlog is found in `tools`, links in those of `levels`."""

    def __init__(self, pages: Pages, account: str, realm: Realm, tools: str, levels: Levels | None = None) -> None:
        self.pages = pages
        self.account = account
        self.realm = realm
        self.tools = tools
        self.levels = levels

    def render(self, service: Service) -> Rendered:
        """Give all of `service`, its children included; of one that is to be absent only its name."""
        if service.ensure is Ensure.ABSENT:
            return Rendered((), (), (self._summary(service, scanned=False),), ())
        return self._whole(service, self._links(service), scanned=self._in_current(service))

    def _whole(self, service: Service, links: tuple[Node, ...], *, scanned: bool) -> Rendered:
        inner = [self._inner(child, scanned=scanned) for child in service.children]
        nested = self._nested(service) if service.children else ()
        return Rendered(
            nodes=(*self._definition(service), *nested, *(node for child in inner for node in child.nodes)),
            links=(*(node for child in inner for node in child.links), *links),
            services=(*(tree for child in inner for tree in child.services), self._summary(service, scanned=scanned)),
            scanned=(
                *(((f"{service.directory}/service", self.realm),) if service.children else ()),
                *(directory for child in inner for directory in child.scanned),
            ),
        )

    def _inner(self, child: Service, *, scanned: bool) -> Rendered:
        """Give all of a service of a nested tree, which is in no level but its parent's."""
        if child.ensure is Ensure.ABSENT:
            return Rendered((), (), (self._summary(child, scanned=False),), ())
        return self._whole(child, (self._live(child, child.link, child.origin),), scanned=scanned)

    def _links(self, service: Service) -> tuple[Node, ...]:
        """Give what makes the service live: a link where runsvdir looks, or one in each level that has it."""
        if self.levels is None:
            return (self._live(service, service.link, service.origin),)
        name = service.link.rpartition("/")[2]
        levels = (level for level in self.levels.all if level.name in self.levels.of(service.name))
        return tuple(self._live(service, f"{self.levels.directory}/{level.name}/{name}", level.origin) for level in levels)

    def _live(self, service: Service, path: str, origin: Origin) -> Node:
        return self._node(service, path, Link(service.directory), origin, live=True)

    def _in_current(self, service: Service) -> bool:
        return self.levels is None or self.levels.current in self.levels.of(service.name)

    def _node(
        self,
        service: Service,
        path: str,
        entry: Entry,
        origin: Origin,
        *,
        effect: Effect = Effect.NOTHING,
        live: bool = False,
        owner: Owner | None = None,
    ) -> Node:
        return Node(path, entry, self.realm, owner, origin, service.id, effect, live)

    def _nested(self, service: Service) -> tuple[Node, ...]:
        origin = service.origin_of("services")
        paths = (f"{service.directory}/service", f"{service.directory}/sv")
        return tuple(self._node(service, path, Directory(0o755), origin) for path in paths)

    def _definition(self, service: Service) -> Iterator[Node]:
        for folder in service.folders:
            for path in (*between(self.realm, folder), folder):
                realm = self.realm if self.realm.holds(path) else SYSTEM
                yield Node(path, Directory(0o755, shared=True), realm, None, service.origin_of("basedir"))
        yield self._node(service, service.directory, Directory(0o755), service.origin)
        yield from self._environment(service, f"{service.directory}/env", filed(service.process), "env", Effect.RESTART)
        yield from self._run(service)
        yield from self._scripts(service)
        if not service.enabled:
            origin = service.origin_of("down" if "down" in service.origins else "enabled")
            yield self._node(service, f"{service.directory}/down", File(b"", 0o644), origin)
        yield from self._log(service)
        yield from self._files(service)

    def _run(self, service: Service) -> Iterator[Node]:
        key = next((key for key in ("command", "run", "services") if key in service.origins), "")
        run = service.run
        entry = _executable(run.text.encode(), secret=run.secret) if isinstance(run, Script) else self._run_page(service)
        yield self._node(service, f"{service.directory}/run", entry, service.origin_of(key), effect=Effect.RESTART)

    def _run_page(self, service: Service) -> File:
        process = service.process
        exports = scripted(process)
        environment_directory = "./env" if process.directory is None else f"{service.directory}/env"
        required = service.requirements
        waits = [(endings.ready(peer), endings.unready(peer)) for peer in required.peers] if required else []
        text = self.pages.page(
            "run.sh.j2",
            key=service.origin.key,
            merge_stderr=process.merge_stderr,
            delegate=service.delegate if service.delegate and not service.delegate.owner else None,
            logged=service.log is not None,
            one_shot=service.one_shot,
            watched=service.watched,
            peers=required.peers if required else (),
            waits=waits,
            patience=required.patience if required else 0,
            umask=process.umask,
            exports=exports,
            directory=process.directory,
            restores_path=any(variable.in_script and variable.name == "PATH" for variable in exports),
            before=service.before.rstrip("\n"),
            command=command(service.run, process, environment_directory=environment_directory),
        )
        told = parts(service, environment_directory=environment_directory, waits=[ready for ready, _ in waits])
        return replace(_executable(text, secret=any(variable.secret for variable in exports)), parts=told)

    def _scripts(self, service: Service) -> Iterator[Node]:
        """Give finish, check and control/, a change of which restarts nothing."""
        match service.ending:
            case None:
                pass
            case Script(text, secret):
                yield self._script(service, "finish", text.encode(), "finish", secret=secret)
            case Finish():
                page, told = endings.finish(service, service.ending, self.pages)
                yield self._script(service, "finish", page, "finish", secret=told)
            case _:
                assert_never(service.ending)
        match service.check:
            case None:
                pass
            case Script(text):
                yield self._script(service, "check", text.encode(), "check")
            case Probes():
                yield self._script(service, "check", endings.check(service, service.check, self.pages), "check")
            case _:
                assert_never(service.check)
        if service.control:
            yield self._node(service, f"{service.directory}/control", Directory(0o755), service.origin_of("control"))
        for control in service.control:
            yield from self._control(service, f"control/{control.letter}", control)
        if service.delegate and service.delegate.owner:
            yield self._access(service, service.delegate, service.delegate.owner)
        for setting in service.settings:
            entry, effect = File(f"{setting.number}\n".encode(), 0o644), Effect.RESTART if setting.restarts else Effect.NOTHING
            yield self._node(service, f"{service.directory}/{setting.name}", entry, service.origin_of(setting.key), effect=effect)

    def _access(self, service: Service, delegate: Delegate, owner: Owner) -> Node:
        """Give the file whose owner, group and mode supervise/ok and control are to have; its text is for people."""
        text = ":".join(filter(None, (owner.user, owner.group)))
        entry = File(f"{text}\n".encode(), 0o660 if delegate.group else 0o600)
        path, origin = f"{service.directory}/control-access", service.origin_of("delegate")
        return self._node(service, path, entry, origin, effect=Effect.RESTART, owner=owner)

    def _control(self, service: Service, name: str, control: Control) -> Iterator[Node]:
        match control.action:
            case Script(text, secret):
                yield self._script(service, name, text.encode(), f"control.{control.letter}", secret=secret)
            case Shared(path):
                yield self._node(service, f"{service.directory}/{name}", Link(path), service.origin_of("control_from"))
            case Stopping(letter, first, kill_after, noted):
                own = f"{name}-own"
                if isinstance(first, Script):
                    yield from self._control(service, own, Control(control.letter, first))
                page = self.pages.page(
                    "stop.sh.j2",
                    key=service.origin.key,
                    noted=noted,
                    kill_after=kill_after,
                    first=first.path if isinstance(first, Shared) else own if first else None,
                    letter=letter,
                    tree=letter == HANG_UP.letter and isinstance(service.run, Scan),
                )
                yield self._script(service, name, page, "stop")
            case _:
                assert_never(control.action)

    def _script(
        self, service: Service, name: str, text: bytes, key: str, effect: Effect = Effect.NOTHING, *, secret: bool = False
    ) -> Node:
        entry = _executable(text, secret=secret)
        return self._node(service, f"{service.directory}/{name}", entry, service.origin_of(key), effect=effect)

    def _environment(
        self, service: Service, directory: str, variables: tuple[Variable, ...], key: str, effect: Effect
    ) -> Iterator[Node]:
        origin = service.origin_of(key)
        if variables:
            yield self._node(service, directory, Directory(0o755), origin)
        for variable in variables:
            entry = File(content(variable), 0o600 if variable.secret else 0o644, variable.secret)
            yield self._node(service, f"{directory}/{variable.name}", entry, service.origin_of(f"{key}.{variable.name}"), effect=effect)

    def _log(self, service: Service) -> Iterator[Node]:
        log, origin = service.log, service.origin_of("log")
        if log is None:
            return
        directory = f"{service.directory}/log"
        yield self._node(service, directory, Directory(0o755), origin)
        if isinstance(log, Script):
            yield self._script(service, "log/run", log.text.encode(), "log", Effect.LOG_RESTART, secret=log.secret)
            return
        pooled = log.runner is Runner.RSVLOG
        variables = logs.rsvlog_environment(log) if pooled else log.environment
        yield from self._environment(service, f"{directory}/env", variables, "log", Effect.LOG_RESTART)
        if pooled:
            yield self._node(service, f"{directory}/run", Link(f"{self.tools}/rsvlog"), origin, effect=Effect.LOG_RESTART)
        else:
            text = self.pages.page("log-run.sh.j2", key=service.origin.key, command=logs.svlogd_command(log))
            yield self._script(service, "log/run", text, "log", Effect.LOG_RESTART)
        yield from self._log_directory(service, log, origin)

    def _log_directory(self, service: Service, log: Logger, origin: Origin) -> Iterator[Node]:
        """Give the directory that svlogd writes to, and its config in it, which lies in the hands of who writes there."""
        given = log.realm.base == log.directory
        realm = SYSTEM if given else log.realm
        owner = Owner(log.realm.account) if given and log.realm.account else None
        yield Node(log.directory, Directory(log.mode), realm, owner, origin, service.id)
        config = File(logs.config(log.policy), 0o644)
        yield Node(f"{log.directory}/config", config, log.realm, None, origin, service.id, Effect.LOG_HUP)

    def _files(self, service: Service) -> Iterator[Node]:
        """Give the other files, and the directories above each that no other key makes."""
        made: set[str] = {"", "control", "env", "log"}
        given: dict[str, Realm] = {}
        for file in service.files:
            parts = file.path.split("/")[:-1]
            for depth in range(1, len(parts) + 1):
                folder = "/".join(parts[:depth])
                if folder not in made:
                    made.add(folder)
                    node = self._node(service, f"{service.directory}/{folder}", Directory(0o755), service.origin_of("files"))
                    yield _in_the_hands(given, folder, node)
            made.add(file.path)
            node = self._file(service, file)
            yield _in_the_hands(given, file.path, node)
            if isinstance(file, ExtraDirectory) and file.owner and file.owner.user != self.account:
                given[file.path] = Realm(file.owner.user, node.path)

    def _file(self, service: Service, file: ExtraFile | ExtraDirectory) -> Node:
        path, origin = f"{service.directory}/{file.path}", service.origin_of(f"files.{file.path}")
        if isinstance(file, ExtraDirectory):
            return self._node(service, path, Directory(file.mode), origin, owner=file.owner)
        effect = Effect.RESTART if file.restarts else Effect.NOTHING
        return self._node(service, path, File(file.content, file.mode, file.secret), origin, effect=effect, owner=file.owner)

    def _summary(self, service: Service, *, scanned: bool) -> ServiceTree:
        """Give what apply has to know; scanned: a runsvdir finds it. What none does may be as it is."""
        absent = service.ensure is Ensure.ABSENT
        check_as, check_path = self._asks(service)
        return ServiceTree(
            id=service.id,
            realm=self.realm,
            directory=service.directory,
            link=service.link if scanned else None,
            logged=service.log is not None,
            log_directory=service.log.directory if isinstance(service.log, Logger) else None,
            ensure=service.ensure if scanned or absent else Ensure.ANY,
            enabled=service.enabled,
            one_shot=service.one_shot,
            on_change=service.on_change,
            origin=service.origin,
            requires=service.requirements.ids if service.requirements else (),
            scans=_scans(service),
            stop_seconds=service.stop.seconds if service.stop else None,
            kill=service.stop is not None and service.stop.kill,
            check_as=check_as,
            check_path=check_path,
        )

    def _asks(self, service: Service) -> tuple[str | None, str]:
        """Give whom the check runs as, None for the tree's owner, and its PATH."""
        process, path = service.process, f"{self.tools}:{SYSTEM_PATH}"
        if process.credentials and _asks_supervisors(service.check):
            return None, path  # and not the account's, who may have directories of its own in it
        own = [variable.value for variable in process.environment if variable.name == "PATH" and not variable.secret and variable.value]
        who = credentials_word(process.credentials, numeric=process.root is not None) if process.credentials else None
        return who, (own or [path])[-1]


def _asks_supervisors(check: Check | None) -> bool:
    """Whether the check looks into supervise/, which is open to the tree's owner alone, or itself becomes who it asks as."""
    if not isinstance(check, Probes):
        return False
    return check.waited or check.account is not None or any(isinstance(probe, Services | Settled) for probe in check.all)


def _executable(text: bytes, *, secret: bool) -> File:
    return File(text, 0o700 if secret else 0o755, secret)


def _in_the_hands(given: Mapping[str, Realm], path: str, node: Node) -> Node:
    """Give `node` as it is made by whom the directory that it lies in was given to, who may swap what lies there."""
    above = [folder for folder in given if path.startswith(f"{folder}/")]
    return replace(node, realm=given[max(above, key=len)]) if above else node


def _scans(service: Service) -> str | None:
    """Give the directory that the service runs a runsvdir over, as others see it."""
    return posixpath.normpath(posixpath.join(service.directory, service.run.directory)) if isinstance(service.run, Scan) else None
