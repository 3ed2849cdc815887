"""Rendered services under a real runsvdir, C runit's or the shipped one, below one directory."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path
from typing import Any

from runit_provision import render, schema
from runit_provision.app.desired import templates
from runit_provision.app.materials import Found
from runit_provision.apply import Report
from runit_provision.host import accounts
from runit_provision.inputs import Inputs
from runit_provision.model.account import Account
from runit_provision.model.host import RuntimeKind
from runit_provision.model.tree import RenderedTree
from runit_provision.runtime.wire import status as wire

from . import waiting
from .fifo import is_read, tell
from .laid import lay
from .places import Place
from .world import table_of


def account(name: str, home: str) -> Account:
    """Give the account `name` of this machine, with another home."""
    entry = pwd.getpwnam(name)
    return Account(name, entry.pw_uid, entry.pw_gid, str(entry.pw_gid), home, "/bin/sh")


class Tour:
    """A host below `base`, of the calling user, whose tools are in `tools`; ended with `stop`."""

    def __init__(self, base: Path, tools: Path, kind: RuntimeKind) -> None:
        self.base = base
        self.tools = tools
        self._kind = kind
        self.shipped = kind is RuntimeKind.SHIPPED
        self.me = pwd.getpwuid(os.geteuid()).pw_name
        self.sink = base / "mail"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, data: dict[str, Any], *, others: dict[str, Account] | None = None) -> None:
        """Render `data` for this host, write it, and supervise it."""
        lay(self.tree(data, others=others))
        for other in (others or {}).values():
            for path in (Path(other.home), *Path(other.home).rglob("*")):
                os.chown(path, other.uid, other.gid, follow_symlinks=False)
        self.supervise()

    def people(self, *names: str, below: str = "home") -> dict[str, Account]:
        """Make a home below the base for each of these accounts of this machine, and give them with it, by name."""
        found = {name: account(name, f"{self.base}/{below}/{name}") for name in names}
        for person in found.values():
            Path(person.home).mkdir(parents=True)
            os.chown(person.home, person.uid, person.gid)
        return found

    def tree(self, data: dict[str, Any], *, others: dict[str, Account] | None = None) -> RenderedTree:
        """Render `data` for this host."""
        places = {"service_directory": "service", "definitions": "sv", "log_directory": "log", "home": "home"}
        whole: dict[str, Any] = {key: f"{self.base}/{folder}" for key, folder in places.items()}
        whole |= {"owner": self.me, "profile": False, "prefix": str(self.tools.parent), "runtime": self._kind.value, **data}
        known = {self.me: account(self.me, f"{self.base}/home/{self.me}"), **(others or {})}
        found = Found(self.base, templates(), Inputs())
        host = schema.read_host(table_of(whole), known, materials=found, groups=accounts.read().number)
        return render.render(host, found.templates(host.template_path))

    def apply(self, data: dict[str, Any], *, others: dict[str, Account] | None = None) -> Report:
        """Do what apply does to make this host what `data` say."""
        return Place(self.base).apply(self.tree(data, others=others))

    def is_settled(self, data: dict[str, Any]) -> bool:
        """Whether an apply of `data` would do nothing."""
        return Place(self.base).plan(self.tree(data)).empty

    def supervise(self) -> None:
        """Start the runsvdir."""
        self._mailer()
        self._process = subprocess.Popen(
            [self.tools / "runsvdir", "-P", self.base / "service"], env=self.environment(), stdin=subprocess.DEVNULL
        )

    def environment(self) -> dict[str, str]:
        """What the supervisor, and those who ask it, see."""
        state = self.base / "state"
        state.mkdir(mode=0o700, exist_ok=True)
        return {"PATH": f"{self.base}/bin:{self.tools}:/usr/bin:/bin", "RUNIT_PROVISION_STATE": str(state)}

    def _mailer(self) -> None:
        """Put a `mail` on the PATH that appends subject, address and text to the sink."""
        program = self.base / "bin" / "mail"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\n{{ echo "$2 to $3:"; cat; }} >>{self.sink}\n')
        program.chmod(0o755)

    def sv(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run sv, with these variables too; a word with a slash in it names a service below the base."""
        arguments = [f"{self.base}/{word}" if "/" in word else word for word in words]
        environment = self.environment() | variables
        return subprocess.run([self.tools / "sv", *arguments], env=environment, capture_output=True, text=True, check=False)

    def status(self, service: str) -> wire.Status | None:
        """Give what the supervisor of `service` (a path below the base) wrote; None while there is none who takes letters."""
        if not is_read(self.base / service / "supervise/ok"):
            return None
        try:
            return wire.unpack((self.base / service / "supervise/status").read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def runs(self, service: str) -> bool:
        """Whether `service` runs."""
        status = self.status(service)
        return status is not None and status.state == wire.RUN and status.pid > 0

    def is_down(self, service: str) -> bool:
        """Whether `service` is down, and wanted so."""
        status = self.status(service)
        return status is not None and status.state == wire.DOWN and status.want == wire.WANT_DOWN

    def log(self, directory: str) -> list[str]:
        """Give the lines of a log below the base, without their timestamps."""
        try:
            text = (self.base / directory / "current").read_text()
        except FileNotFoundError:
            return []
        return [line.partition(" ")[2] for line in text.splitlines()]

    def stop(self) -> None:
        """End every service, as HUP does, and wait until none is supervised."""
        if self._process is None:
            return
        self._process.send_signal(1)
        self._process.wait(waiting.DEADLINE)
        fifos = [path for path in self.base.rglob("supervise/ok") if path.is_fifo()]

        def all_gone() -> bool:
            left = [fifo.parents[1] for fifo in fifos if is_read(fifo)]
            # C's runsv forgets that it is to exit when a finish that gives up takes its service down after it was told.
            for service in left if not self.shipped else ():
                if self.is_down(str(service.relative_to(self.base))):
                    tell(service / "supervise/control", b"x")
            return not left

        waiting.until(all_gone, what="every supervisor gone")
