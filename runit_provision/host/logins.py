"""Accounts, groups and homes that the data ask for: by the host's own tools, or in an image's files.

On a running host useradd(8), usermod(8) and groupadd(8) are called. In an image nothing can be run: passwd(5), group(5), shadow(5) and
gshadow(5) are written anew beside their places and renamed, under the lock that shadow's tools take. A home is made under a staging
name that only root can enter, filled, given away, and renamed into place.
"""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from runit_provision.errors import HostError, Problem
from runit_provision.host import files
from runit_provision.host.accounts import Accounts
from runit_provision.host.hand import Hand, Request
from runit_provision.host.passwd import Tables
from runit_provision.host.rooted import folder_on_host
from runit_provision.model.account import Login
from runit_provision.model.plan import Change, LoginStep

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PATIENCE = 60.0
"""Seconds that a tool may take: it may wait for a lock that another one holds."""


def perform(steps: Sequence[LoginStep], *, root: Path, hand: Hand, accounts: Callable[[], Accounts], held: Sequence[int] = ()) -> None:
    """Do `steps`; HostError when one cannot be done, with all before it done.

    hand: root's own, for homes. accounts: asks anew, once all accounts are there. held: descriptors that a tool keeps open, which
    goes on when this process is killed.
    """
    at_once = [step for step in steps if step.kind != "home"]
    if root == Path("/"):
        for step in at_once:
            _call(step, held)
    elif at_once:
        _edit(at_once, root, hand)
    homes = [step.login for step in steps if step.kind == "home" and step.login]
    if homes:
        known = accounts()
        for login in homes:
            account = known[login.name]
            try:
                _make_home(login, account.uid, account.gid, root, hand)
            except OSError as error:
                message = f"the home of {login.name} cannot be made: {error.strerror}"
                raise HostError(_problem(login.origin.key, login, message, str(error.filename))) from error


def _call(step: LoginStep, held: Sequence[int]) -> None:
    words = _words(step)
    hint = "accounts that were made before stay"
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
            env={"PATH": _PATH, "LC_ALL": "C"},
            pass_fds=held,
        )
        said = f"failed: {done.stderr.strip() or 'it did not say why'}".splitlines()[-1] if done.returncode else ""
    except subprocess.TimeoutExpired:
        said = f"took more than {_PATIENCE:.0f} s"
    except OSError:
        said, hint = "is not installed", "install shadow's tools (package passwd, shadow or shadow-utils)"
    if said:
        raise HostError(Problem(f"{words[0]} {said}", mark=step.origin.mark, key=step.origin.key, hint=hint))


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


def _edit(steps: Sequence[LoginStep], root: Path, hand: Hand) -> None:
    etc = folder_on_host(root, "/etc")
    descriptor = os.open(etc / ".pwd.lock", os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX)
        tables = Tables.read(etc)
        for step in steps:
            if step.group:
                tables.add_group(step.group)
            elif step.login and step.change is Change.CREATE:
                tables.add_login(step.login)
            elif step.login:
                tables.change_login(step.login)
        for name, content in tables.changed():
            found = (etc / name).stat()
            path = f"/etc/{name}"
            made = (files.staged(path), content, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, True)
            _, error = hand.batch([("write", made), ("place", (files.staged(path), path)), ("sync", (["/etc"],))])
            if error:
                raise HostError(Problem(f"cannot be written: {error.strerror}", path=path)) from error
    finally:
        os.close(descriptor)


def _make_home(login: Login, uid: int, gid: int, root: Path, hand: Hand) -> None:
    place = files.staged(login.home)
    requests: list[Request] = [("new_directory", (place, 0o700, os.geteuid(), os.getegid()))]
    dressed: list[Request] = []
    if login.skeleton:
        skeleton = folder_on_host(root, "/etc/skel")
        for folder, folders, names in os.walk(skeleton):
            at = os.path.normpath(f"{place}/{os.path.relpath(folder, skeleton)}")
            for name in (*folders, *names):
                source = Path(folder, name)
                seen = source.lstat()
                if stat.S_ISLNK(seen.st_mode):
                    requests.append(("link", (f"{at}/{name}", str(source.readlink()))))
                elif stat.S_ISDIR(seen.st_mode):
                    requests.append(("new_directory", (f"{at}/{name}", 0o700, os.geteuid(), os.getegid())))
                    dressed.append(("dress_directory", (f"{at}/{name}", stat.S_IMODE(seen.st_mode), uid, gid)))
                elif stat.S_ISREG(seen.st_mode):
                    requests.append(("write", (f"{at}/{name}", source.read_bytes(), stat.S_IMODE(seen.st_mode), uid, gid, True)))
    requests += dressed[::-1]
    requests += [("dress_directory", (place, login.home_mode, uid, gid)), ("place", (place, login.home))]
    requests.append(("sync", ([os.path.dirname(login.home)],)))
    _, error = hand.batch(requests)
    if error:
        hand.call("sweep", place)
        raise error


def _problem(key: str, login: Login, message: str, path: str) -> Problem:
    return Problem(message, mark=login.origin.mark, key=key, path=path, hint="make it by hand, or correct the data")
