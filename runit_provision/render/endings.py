"""`finish` and `check`: scripts made of what the data intends; runsv(8), sv(8)."""

from __future__ import annotations

from typing import assert_never

from runit_provision.model.ending import Finish, TreeEnd
from runit_provision.model.health import Command, Exists, Http, Peer, Probe, Probes, Services, Settled, Tcp, Unix
from runit_provision.model.process import lines_can_see
from runit_provision.model.service import Service
from runit_provision.render import notices
from runit_provision.render.pages import Pages
from runit_provision.render.quoting import join, quote

PYTHON = "/usr/bin/python3"
"""What probes are made with; not the one that runs this, which may be anywhere and go."""
_PYTHON = (PYTHON, "-IS", "-c")
_TCP = "import socket, sys; socket.create_connection(sys.argv[1:3], float(sys.argv[3]))"
_UNIX = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(float(sys.argv[2])); s.connect(sys.argv[1])"
# Never by a proxy that the caller's environment names: the service itself is asked.
_HTTP = (
    "import sys; from urllib.request import ProxyHandler, build_opener; "
    "build_opener(ProxyHandler({})).open(sys.argv[1], timeout=float(sys.argv[2]))"
)


def finish(service: Service, ending: Finish, pages: Pages) -> tuple[bytes, bool]:
    """Give `finish`, which runsv calls with the exit code (-1 when killed) and the low byte of the wait status.

    The second value tells whether a secret stands in it.
    """
    exports = [variable for variable in service.process.environment if ending.lines and lines_can_see(variable.name)]
    text = pages.page(
        "finish.sh.j2",
        key=service.origin.key,
        name=service.id,
        exports=exports,
        lines=ending.lines.rstrip("\n"),
        merge_stderr=service.process.merge_stderr,
        seconds=ending.seconds,
        once=ending.once,
        watched=service.watched,
        asks_why=ending.asks_why,
        notices=[notices.line(notice) for notice in ending.notices],
        tree=ending.tree,
        mail=ending.mail,
        restarts=ending.restarts,
        end_of_tree=_end_of_tree(ending.tree) if ending.tree else "",
    )
    return text, any(variable.secret for variable in exports)


def _end_of_tree(tree: TreeEnd) -> str:
    """Give the line that ends, waits for and at last kills what a runsvdir left behind, as the one whose tree it is."""
    line = f"sv -w {tree.patience} force-shutdown {quote(tree.directory)}/*"
    return line if tree.account is None else f"chpst -u {quote(tree.account)} sh -c {quote(line)}"


def check(service: Service, probes: Probes, pages: Pages) -> bytes:
    """Give `check`, which sv asks whether a service that runs is of use."""
    lines = [line for probe in probes.all for line in _probe(probe, probes.timeout)]
    if lines and not isinstance(probes.all[-1], Services):
        lines[-1] = f"exec {lines[-1]}"
    return pages.page(
        "check.sh.j2",
        key=service.origin.key,
        account=probes.account,
        waited=probes.waited,
        settled=[directory for probe in probes.all if isinstance(probe, Settled) for directory in probe.directories],
        peers=[peer for probe in probes.all if isinstance(probe, Services) for peer in probe.peers],
        lines=lines,
    )


def _probe(probe: Probe, timeout: int) -> tuple[str, ...]:
    match probe:
        case Tcp(host, port):
            return (join(("timeout", str(timeout), *_PYTHON, _TCP, host, str(port), str(timeout))) + " 2>/dev/null",)
        case Http(url):
            return (join(("timeout", str(timeout), *_PYTHON, _HTTP, url, str(timeout))) + " 2>/dev/null",)
        case Unix(path):
            return (join((*_PYTHON, _UNIX, path, str(timeout))) + " 2>/dev/null",)
        case Exists(path):
            return (join(("test", "-e", path)),)
        case Command(words):
            return (join(("timeout", str(timeout), *words)),)
        case Services(peers):
            return tuple(ready(peer) for peer in peers)
        case Settled():
            return ()
        case _:
            assert_never(probe)


def ready(peer: Peer) -> str:
    """Give the command that asks whether a service is of use; ready.sh.j2 defines what it calls."""
    asker = ("as", peer.account) if peer.account is not None else ("timeout", "5") if peer.stranger else ()
    if peer.one_shot:
        return join(("succeeded", peer.directory, *asker))
    if peer.stranger:
        return join(("is", "run", *asker, "sv", "status", peer.directory))
    return join(("ready", peer.directory, *asker))


def unready(peer: Peer) -> str:
    """Say that a service is not of use."""
    return f"not ready: {peer.directory}" + (", which runs once and has not succeeded" if peer.one_shot else "")
