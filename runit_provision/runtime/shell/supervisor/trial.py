"""A version of the runtime proves itself before it is given what runs: it supervises a service of its own, with its log, and ends it.

What cannot be parsed, imported, started, or does not know how to supervise, shows here, and what is there stays.
"""

from __future__ import annotations

import _signal
import os
import time

SECONDS = 30.0
"""For the service to run, and again for all to end."""
_LINE = "this is a trial"
_STATE = "RUNIT_PROVISION_STATE"
_RUNSVDIR = """
import sys
sys.path.insert(0, sys.argv[1])
from runit_provision.runtime.cli.runsvdir import main
sys.exit(main(sys.argv[1:]))
"""


def run(command: list[str], place: str, rsvlog: str = "") -> str:
    """Let `command`, which starts a runsvdir over the directory given last, prove itself; give why it did not, or empty.

    place: an empty directory of ours alone; rsvlog: the tool that keeps the service's log, if there is one.
    """
    logged = _lay(f"{place}/services/it", rsvlog)
    pid = os.fork()
    if pid == 0:
        _start([*command, f"{place}/services"], place)
    try:
        reason = _watch(pid, f"{place}/services/it", logged)
    finally:
        # Whatever it left; without -P all that it started is in its group.
        try:
            os.killpg(pid, _signal.SIGKILL)
        except ProcessLookupError:
            pass
    return f"{reason}{_last_words(place)}" if reason else ""


def clean(place: str) -> None:
    """End and remove what a trial left that was itself killed."""
    from .. import process

    mark = f"{_STATE}={place}/state".encode()
    end = time.monotonic() + SECONDS
    # In turns: when its supervisor is killed first, its keeper has started another.
    while time.monotonic() < end:
        left = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if mark in process.environment(pid)]
        if not left:
            break
        for pid in left:
            try:
                os.kill(pid, _signal.SIGKILL)
            except OSError:
                pass
        time.sleep(0.01)
    remove(place)


def remove(place: str) -> None:
    """Remove what a trial left."""
    for folder, folders, files in os.walk(place, topdown=False):
        for name in files:
            os.unlink(f"{folder}/{name}")
        for name in folders:
            path = f"{folder}/{name}"
            (os.unlink if os.path.islink(path) else os.rmdir)(path)
    if os.path.isdir(place):
        os.rmdir(place)


def _lay(home: str, rsvlog: str) -> bool:
    os.makedirs(home, mode=0o700)
    _write(f"{home}/run", f"#!/bin/sh\necho {_LINE}\nexec sleep 1000\n", 0o700)
    if not os.path.exists(rsvlog):
        return False
    os.makedirs(f"{home}/log/env", mode=0o700)
    os.symlink(rsvlog, f"{home}/log/run")
    _write(f"{home}/log/env/RSVLOG_DIR", "main\n", 0o600)
    return True


def _write(path: str, text: str, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _start(command: list[str], place: str) -> None:
    try:
        os.setsid()
        _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
        for number in (_signal.SIGHUP, _signal.SIGTERM, _signal.SIGCHLD, _signal.SIGPIPE, _signal.SIGIO):
            _signal.signal(number, _signal.SIG_DFL)
        output = os.open(f"{place}/output", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.environ[_STATE] = f"{place}/state"
        os.execv(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(111)


def _watch(pid: int, home: str, logged: bool) -> str:
    end = time.monotonic() + SECONDS
    while not (_read(f"{home}/supervise/stat") == "run\n" and (not logged or _LINE in _read(f"{home}/log/main/current"))):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return f"it ended, {_said(status)}"
        if time.monotonic() > end:
            return f"it did not run a service within {SECONDS:.0f} s"
        time.sleep(0.01)
    os.kill(pid, _signal.SIGHUP)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return "" if status == 111 << 8 else f"it ended, {_said(status)}, when it was told to end"
        time.sleep(0.01)
    return f"it did not end within {SECONDS:.0f} s"


def _said(status: int) -> str:
    return f"signal {status & 127}" if status & 127 else f"exit status {status >> 8}"


def _last_words(place: str) -> str:
    lines = [line.strip() for line in _read(f"{place}/output").splitlines() if line.strip()]
    return f": {lines[-1]}" if lines else ""


def _read(path: str) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(fd, 1 << 20).decode("utf-8", "replace")
    finally:
        os.close(fd)


def main(arguments: list[str]) -> None:
    """arguments[1]: the library to be tried; [2]: an empty directory; [3]: the installed rsvlog. Says why it failed, and exits 1."""
    import sys

    library, place, rsvlog = arguments[1:4]
    reason = run([sys.executable, "-IS", "-c", _RUNSVDIR, library], place, rsvlog)
    sys.stdout.write(reason)
    sys.exit(1 if reason else 0)
