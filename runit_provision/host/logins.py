"""Accounts, groups and homes that the data ask for: by the host's own tools, or in an image's files.

On a running host useradd(8), usermod(8) and groupadd(8) are called. In an image nothing can be run: passwd(5), group(5), shadow(5) and
gshadow(5) are written anew beside their places and renamed, under the lock that shadow's tools take. A home is made under a staging
name that only root can enter, filled, given away, and renamed into place.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from runit_provision.errors import HostError, Problem
from runit_provision.host import files
from runit_provision.host.accounts import Accounts
from runit_provision.host.hand import Hand, Request
from runit_provision.host.passwd import Tables
from runit_provision.host.remedies import REMEDIES, refused
from runit_provision.host.rooted import folder_on_host
from runit_provision.host.skeleton import skeleton
from runit_provision.model.account import KnownHome, Login
from runit_provision.model.observed import PHRASES, Kind
from runit_provision.model.plan import Change, LoginStep
from runit_provision.model.process import SYSTEM_PATH

_PATIENCE = 60.0
"""Seconds that a tool may take: it may wait for a lock that another one holds."""
_LOCK_PATIENCE = 15.0
"""Seconds that are waited for the lock of an image's accounts, as shadow's tools do; lckpwdf(3)."""
_NAP = 0.05
_FLOCK = "hhqqi4x"
_INSTALL = "install shadow's tools (package passwd, shadow or shadow-utils)"


def find_home(home: str, hand: Hand) -> KnownHome:
    """Look at the place of a home that is to be made; hand: root's own."""
    try:
        hand.call("devices", [os.path.dirname(home)])
        (sight,) = hand.call("look", [(home, -1, "", -1, False, True)])
    except FileNotFoundError as error:
        hint = "make it first (a disk that is not mounted?), or choose another home"
        return KnownHome("does not exist", str(error.filename), hint)
    except OSError as error:
        hint = "let it be a directory in which root alone writes, or choose another home"
        return KnownHome(error.strerror or str(error), str(error.filename), hint)
    if sight is None:
        return KnownHome()
    kind, _, uid, *_ = sight
    if kind != Kind.DIRECTORY.value:
        return KnownHome(f"is {PHRASES[Kind(kind)]}", home, "move it away, or choose another home")
    return KnownHome(uid=uid)


def lacking(steps: Sequence[LoginStep], *, root: Path) -> Iterator[Problem]:
    """Say what of the host's own is not there that `steps` need, once for each."""
    first: dict[str, LoginStep] = {}
    for step in steps:
        if step.kind != "home":
            first.setdefault(_words(step)[0], step)
    if root != Path("/"):
        try:
            if first:
                Tables.read(folder_on_host(root, "/etc"))
        except HostError as error:
            yield replace(error.problems[0], mark=steps[0].origin.mark, key=steps[0].origin.key)
        return
    for tool, step in first.items():
        if shutil.which(tool, path=SYSTEM_PATH) is None:
            yield Problem(f"{tool} is not installed", mark=step.origin.mark, key=step.origin.key, hint=_INSTALL)


def perform(
    steps: Sequence[LoginStep],
    *,
    root: Path,
    hand: Hand,
    accounts: Callable[[], Accounts],
    told: Callable[[LoginStep], None],
    held: Sequence[int] = (),
) -> dict[LoginStep, Problem]:
    """Do `steps`; give those that could not be done, each with what is wrong: so is what needs an account or a group of them.

    hand: root's own, for homes. accounts: asks anew, once all accounts are there. told: is told each step that was tried. held:
    descriptors that a tool keeps open, which goes on when this process is killed.
    """
    failed: dict[LoginStep, Problem] = {}
    at_once = [step for step in steps if step.kind != "home"]
    if root != Path("/"):
        failed |= _edit(at_once, root, hand) if at_once else {}
    else:
        for step in at_once:
            if problem := _needs(step, failed) or _call(step, held):
                failed[step] = problem
            told(step)
    known = accounts()
    for step in [step for step in steps if step.kind == "home"]:
        if problem := _needs(step, failed) or _make_home(step, known, root, hand):
            failed[step] = problem
        told(step)
    return failed


def _needs(step: LoginStep, failed: Mapping[LoginStep, Problem]) -> Problem | None:
    """Give why a step cannot be done before it is tried: a group or the account that it is about could not be made."""
    login = step.login
    for other, problem in failed.items():
        if login and ((other.group and other.group.name in (login.group, *login.groups)) or (other.login == login)):
            return problem
    return None


def _call(step: LoginStep, held: Sequence[int]) -> Problem | None:
    """Run the tool that does `step`; give what went wrong."""
    words = _words(step)
    hint = ""
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
            env={"PATH": SYSTEM_PATH, "LC_ALL": "C"},
            pass_fds=held,
        )
        said = f"failed: {(done.stderr.strip() or 'it did not say why').splitlines()[-1]}" if done.returncode else ""
    except subprocess.TimeoutExpired:
        said = f"took more than {_PATIENCE:.0f} s"
    except OSError:
        said, hint = "is not installed", _INSTALL
    return Problem(f"{words[0]} {said}", mark=step.origin.mark, key=step.origin.key, hint=hint) if said else None


def _words(step: LoginStep) -> list[str]:
    """Give the command that does `step`."""
    if step.group:
        number = ["-g", str(step.group.gid)] if step.group.gid is not None else []
        return ["groupadd", *(["-r"] if step.group.system else []), *number, step.group.name]
    login = step.login
    assert login is not None
    if step.change is Change.CREATE:
        number = ["-u", str(login.uid)] if login.uid is not None else []
        words = ["-M", "-N", "-g", login.group, "-d", login.home, "-s", login.shell or "/bin/sh", "-c", login.comment or ""]
        more = ["-G", ",".join(login.groups)] if login.groups else []
        return ["useradd", *(["-r"] if login.system else []), *number, *words, *more, login.name]
    shell = ["-s", login.shell] if login.shell is not None else []
    comment = ["-c", login.comment] if login.comment is not None else []
    groups = ["-a", "-G", ",".join(login.groups)] if login.groups else []
    return ["usermod", *shell, *comment, *groups, login.name]


def _edit(steps: Sequence[LoginStep], root: Path, hand: Hand) -> dict[LoginStep, Problem]:
    """Do `steps` in the files of an image; give those that could not be done."""
    etc = folder_on_host(root, "/etc")
    failed: dict[LoginStep, Problem] = {}
    try:
        with _locked(etc):
            tables = Tables.read(etc)
            for step in steps:
                try:
                    if problem := _needs(step, failed):
                        failed[step] = problem
                    else:
                        tables.do(step)
                except HostError as error:
                    failed[step] = replace(error.problems[0], mark=step.origin.mark, key=step.origin.key)
            _write(tables, etc, hand)
    except HostError as error:
        problem = replace(error.problems[0], mark=steps[0].origin.mark, key=steps[0].origin.key)
        return dict.fromkeys(steps, problem)
    return failed


@contextmanager
def _locked(etc: Path) -> Iterator[None]:
    """Hold the lock of shadow's tools; HostError when it cannot be had. lckpwdf(3)"""
    path = "/etc/.pwd.lock"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(etc / ".pwd.lock", flags, 0o600)
    except OSError as error:
        raise refused("cannot be opened for writing", error, path) from error
    try:
        end = time.monotonic() + _LOCK_PATIENCE
        while not _is_ours(descriptor):
            if time.monotonic() >= end:
                hint = "another tool edits the accounts of this image: let it end, then apply again"
                raise HostError(Problem(f"has been held by {_holder(descriptor)} for {_LOCK_PATIENCE:.0f} s", path=path, hint=hint))
            time.sleep(_NAP)
        yield
    finally:
        os.close(descriptor)


def _is_ours(descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EAGAIN):
            raise
        return False
    return True


def _holder(descriptor: int) -> str:
    """Say who holds the lock that this process cannot have; struct flock of fcntl(2)."""
    found = fcntl.fcntl(descriptor, fcntl.F_GETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    pid = struct.unpack(_FLOCK, found)[-1]
    return f"pid {pid}" if pid > 0 else "somebody"


def _write(tables: Tables, etc: Path, hand: Hand) -> None:
    for name, content in tables.changed():
        found = (etc / name).stat()
        path = f"/etc/{name}"
        made = (files.staged(path), content, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, True)
        _, error = hand.batch([("write", made), ("place", (files.staged(path), path)), ("sync", (["/etc"],))])
        if error:
            hand.call("sweep", files.staged(path))
            raise refused("cannot be written", error, path) from error


def _make_home(step: LoginStep, known: Accounts, root: Path, hand: Hand) -> Problem | None:
    """Make a home; give what went wrong."""
    login = step.login
    assert login is not None
    account = known[login.name]
    try:
        _dress_home(login, account.uid, account.gid, root, hand)
    except OSError as error:
        message = f"the home of {login.name} cannot be made: {error.strerror}"
        hint = REMEDIES.get(error.errno or 0, "")
        return Problem(message, mark=step.origin.mark, key=step.origin.key, path=str(error.filename), hint=hint)
    return None


def _dress_home(login: Login, uid: int, gid: int, root: Path, hand: Hand) -> None:
    place = files.staged(login.home)
    requests: list[Request] = [("new_directory", (place, 0o700, os.geteuid(), os.getegid()))]
    dressed: list[Request] = []
    for copy in skeleton(root) if login.skeleton else ():
        path = f"{place}/{copy.path}"
        if copy.kind is Kind.LINK:
            requests.append(("link", (path, copy.target)))
        elif copy.kind is Kind.DIRECTORY:
            requests.append(("new_directory", (path, 0o700, os.geteuid(), os.getegid())))
            dressed.append(("dress_directory", (path, copy.mode, uid, gid)))
        else:
            requests.append(("write", (path, copy.content, copy.mode, uid, gid, True)))
    requests += dressed[::-1]
    requests += [("dress_directory", (place, login.home_mode, uid, gid)), ("place", (place, login.home))]
    requests.append(("sync", ([os.path.dirname(login.home)],)))
    _, error = hand.batch(requests)
    if error:
        hand.call("sweep", place)
        raise error
