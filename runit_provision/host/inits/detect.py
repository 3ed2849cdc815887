"""Which init a host has, and how that was seen."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from runit_provision.errors import HostError, Problem
from runit_provision.host.rooted import folder_on_host, on_host, resolve

NAMES = ("systemd", "systemd-user", "sysvinit", "openrc", "busybox", "runit", "s6", "upstart")
_PROGRAMS = {
    "systemd": "systemd",
    "openrc-init": "openrc",
    "runit": "runit",
    "runit-init": "runit",
    "s6-svscan": "s6",
    "s6-linux-init": "s6",
    "busybox": "busybox",
}
"""What a program that is pid 1 tells by its name alone, but busybox, which is many programs."""
_APPLETS = ("init", "linuxrc")


@dataclass(frozen=True, slots=True)
class Detected:
    """name: one of NAMES. reason: what told so."""

    name: str
    reason: str


def detect(root: Path) -> Detected:
    """Look at what runs as pid 1, or, in an image, at what would; HostError when that is no init known here."""
    return _running() if root == Path("/") else _installed(root)


def _running() -> Detected:
    # sd_booted(3) and OpenRC's own scripts look at the same directories.
    for folder, name in (("/run/systemd/system", "systemd"), ("/run/openrc", "openrc")):
        if Path(folder).is_dir():
            if name == "systemd" and os.geteuid() != 0:
                return Detected("systemd-user", f"{folder} is there, and this is not root")
            return Detected(name, f"{folder} is there")
    comm = Path("/proc/1/comm").read_text(encoding="utf-8", errors="replace").strip()
    try:
        program = PurePosixPath(os.readlink("/proc/1/exe")).name
    except OSError:
        program = comm
    words = Path("/proc/1/cmdline").read_bytes().split(b"\0")[:2]
    if program == "busybox" and not any(PurePosixPath(os.fsdecode(word)).name in _APPLETS for word in words):
        _unknown("pid 1 is busybox, but not its init")
    for word in (program, comm):
        if word in _PROGRAMS:
            return Detected(_PROGRAMS[word], f"pid 1 is {word}")
    found = _of_table(Path("/"), f"pid 1 is {comm}") if comm == program == "init" else None
    return found or _unknown(f"pid 1 is {comm}, and neither /etc/inittab nor /etc/init is there")


def _installed(root: Path) -> Detected:
    program = resolve(root, "/sbin/init")
    if program is None:
        return _unknown("/sbin/init is not there")
    reason = f"/sbin/init is {program}"
    name = PurePosixPath(program).name
    if name == "busybox" and folder_on_host(root, "/etc/runlevels").is_dir():
        return Detected("openrc", f"{reason}, and /etc/runlevels is there")
    if name in _PROGRAMS:
        return Detected(_PROGRAMS[name], reason)
    with (root / program.lstrip("/")).open("rb") as file:
        script = file.read(4096)
    if script.startswith(b"#!") and b"s6-linux-init" in script:
        return Detected("s6", f"{reason}, which calls s6-linux-init")
    if on_host(root, "/etc/inittab").exists() and folder_on_host(root, "/etc/runlevels").is_dir() and resolve(root, "/sbin/openrc"):
        # Debian's lets sysvinit's table call /etc/init.d/rc, which is OpenRC's there.
        return Detected("openrc", f"{reason}, and /sbin/openrc and /etc/runlevels are there")
    return _of_table(root, reason) or _unknown(f"{reason}, and neither /etc/inittab nor /etc/init is there")


def _of_table(root: Path, reason: str) -> Detected | None:
    """Tell the inits that are called just that by what they read."""
    inittab = on_host(root, "/etc/inittab")
    if inittab.exists():
        runs_openrc = re.search(rb"(?m)^[^#\n]*:/sbin/openrc\b", inittab.read_bytes())
        if runs_openrc:
            return Detected("openrc", f"{reason}, and /etc/inittab calls openrc")
        return Detected("sysvinit", f"{reason}, and /etc/inittab is there")
    if folder_on_host(root, "/etc/init").is_dir():
        return Detected("upstart", f"{reason}, and /etc/init is there")
    return None


def _unknown(message: str) -> Detected:
    raise HostError(Problem(f"no init that is known here: {message}", hint=f"name one with --init ({', '.join(NAMES)})"))
