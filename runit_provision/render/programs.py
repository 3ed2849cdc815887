"""The programs that rendered scripts call, and that a host may lack: interpreters, the mailer, what checks are made with."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runit_provision.model.answer import Called
from runit_provision.model.ending import Finish
from runit_provision.model.health import Http, Probes, Tcp, Unix
from runit_provision.model.host import Host
from runit_provision.model.run import Script
from runit_provision.model.service import Service
from runit_provision.model.tree import Ensure
from runit_provision.render.endings import PYTHON

_SHEBANG = re.compile(r"#![ \t]*(?P<program>/\S+)(?:[ \t]+(?P<argument>[^-\s=/][^\s=]*)(?=\s|$))?")


def called(host: Host) -> Iterator[Called]:
    """Give each, with the key of the data that asks for it; one that many services call, for the first of them."""
    known: set[str] = set()
    for service in host.services():
        if service.ensure is not Ensure.ABSENT:
            for program, key in _of(service):
                if program not in known:
                    known.add(program)
                    yield Called(program, service.origin_of(key))


def _of(service: Service) -> Iterator[tuple[str, str]]:
    controls = ((f"control.{control.letter}", control.action) for control in service.control)
    for key, script in (("run", service.run), ("finish", service.ending), ("check", service.check), ("log", service.log), *controls):
        if isinstance(script, Script) and (found := _SHEBANG.match(script.text)):
            yield found["program"], key
            if found["program"].endswith("/env") and found["argument"]:
                yield found["argument"], key
    if isinstance(service.ending, Finish) and service.ending.mail:
        yield "mail", "finish"
    if isinstance(service.check, Probes) and any(isinstance(probe, Tcp | Http | Unix) for probe in service.check.all):
        yield PYTHON, "check"
