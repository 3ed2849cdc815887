"""Which init a host has, and how that was seen."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from runit_provision.errors import HostError, Problem
from runit_provision.host.rooted import on_host, resolve

NAMES = ("systemd", "sysvinit")


@dataclass(frozen=True, slots=True)
class Detected:
    """name: one of NAMES. reason: what told so."""

    name: str
    reason: str


def detect(root: Path) -> Detected:
    """Look at what runs as pid 1, or, in an image, at what would; HostError when that is no init known here."""
    return _running() if root == Path("/") else _installed(root)


def _running() -> Detected:
    # sd_booted(3) looks at the same directory.
    if Path("/run/systemd/system").is_dir():
        return Detected("systemd", "/run/systemd/system is there")
    name = Path("/proc/1/comm").read_text(encoding="utf-8", errors="replace").strip()
    try:
        program = PurePosixPath(os.readlink("/proc/1/exe")).name
    except OSError:
        program = name
    if name == program == "init" and Path("/etc/inittab").exists():
        return Detected("sysvinit", "pid 1 is init, and /etc/inittab is there")
    raise _unknown(f"pid 1 is {name}, and neither /run/systemd/system nor an init with /etc/inittab is there")


def _installed(root: Path) -> Detected:
    program = resolve(root, "/sbin/init")
    if program is None:
        raise _unknown(f"{root}/sbin/init is not there")
    match PurePosixPath(program).name:
        case "systemd":
            return Detected("systemd", f"/sbin/init is {program}")
        case "init" if on_host(root, "/etc/inittab").exists():
            return Detected("sysvinit", f"/sbin/init is {program}, and /etc/inittab is there")
        case _:
            raise _unknown(f"/sbin/init is {program}, and /etc/inittab is not there")


def _unknown(message: str) -> HostError:
    return HostError(Problem(f"no init that is known here: {message}", hint=f"name one with --init ({', '.join(NAMES)})"))
