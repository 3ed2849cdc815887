"""The services of one host, reached through nothing but a way to run shell commands there (testinfra's `host.run`)."""

from __future__ import annotations

import shlex
from collections.abc import Container, Mapping
from pathlib import PurePosixPath
from typing import Protocol

from runit_provision.errors import HostError, Problem
from runit_provision.verify import looking
from runit_provision.verify.life import Life
from runit_provision.verify.looking import Place


class Answer(Protocol):
    """What a command did."""

    @property
    def rc(self) -> int: ...
    @property
    def stdout(self) -> str: ...
    @property
    def stderr(self) -> str: ...


class Host(Protocol):
    """The part of testinfra's host that is used here; %s in `command` are replaced by the quoted arguments."""

    def run(self, command: str, *args: str) -> Answer: ...


_WHO = """id -u
for directory in /etc/service /var/service /service; do
  [ ! -d "$directory" ] || { echo "$directory"; exit; }
done
echo /etc/service"""
_HOME = 'getent passwd "$1" 2>/dev/null || grep -- "^$1:" /etc/passwd'
_LIST = """cd -- "$1" 2>/dev/null || exit 0
for name in *; do
  [ ! -d "$name" ] || echo "$name"
done"""
_SCANS = """for process in /proc/[0-9]*/cmdline; do
  words=$(tr '\\0' '\\n' 2>/dev/null <"$process") || continue
  case "$words" in *runsvdir*) ;; *) continue ;; esac
  printf '%s\\n' "$words" | grep -qxF -e "$1" && exit 0
done
exit 1"""
_NESTED = """cd -- "$1" || exit
shift
for name; do
  for inner in . service services subservices; do
    [ ! -e "$inner/$name/run" ] || { cd -- "$inner/$name" && continue 2; }
  done
  exit 1
done
pwd"""


class Target:
    """Finds services by name or path and looks at them.

    Where root asks about a service in a user's hands, the commands run as that user: what a user may link to anything is never
    opened with root's rights.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        uid, self._service_directory = self._run(f"sh -c {shlex.quote(_WHO)}").split("\n")[:2]
        self._is_root = uid == "0"

    def find(self, name: str) -> Place:
        """Give the place of `name`: a path, `service` or `parent/child` of the host, or `user/service` or `user/parent/child`.

        A user's name is the one of the account. HostError when there is none of the kind; that the last one of the names has no
        service directory is not an error but what is to be found out.
        """
        if name.startswith("/"):
            return Place(name, self._owner(name))
        parts = name.split("/")
        if not all(part and not part.startswith(".") for part in parts):
            raise HostError(Problem(f"{name!r} is not a service's name", hint="write user/service, a service of the host, or a path"))
        if len(parts) > 1 and (home := self.home(parts[0])):
            account = parts[0] if self._is_root else None
            return Place(self._nested(f"{home}/service/{parts[1]}", parts[2:], account), account)
        return Place(self._nested(f"{self._service_directory}/{parts[0]}", parts[1:], None), None)

    def look(self, places: Mapping[str, Place], *, lines: int, checked: Container[str] = ()) -> dict[str, Life]:
        """Look at services as looking.look does. HostError when the host cannot be asked."""
        return looking.look(places, self._run, lines=lines, checked=checked)

    def shell(self, script: str, *words: str, account: str = "") -> Answer:
        """Run shell lines with `words` as their arguments, as `account` where the connection is root's."""
        command = f"sh -c {shlex.quote(script)} sh {shlex.join(words)}"
        return self._as(command, account if account and self._is_root else None)

    def names(self, directory: str, *, account: str = "") -> tuple[str, ...]:
        """Give the names of the directories in `directory`, sorted; none of one that is not there."""
        return tuple(sorted(filter(None, self.shell(_LIST, directory, account=account).stdout.split("\n"))))

    def tree(self, user: str) -> str:
        """Give the directory that the runsvdir of the host (user "") or of a user scans; HostError when there is no such account."""
        if not user:
            return self._service_directory
        home = self.home(user)
        if not home:
            raise HostError(Problem(f"there is no account {user!r} on this host"))
        return f"{home}/service"

    def is_scanned(self, directory: str) -> bool:
        """True when a runsvdir runs that was started with `directory`."""
        return self.shell(_SCANS, directory).rc == 0

    def home(self, account: str) -> str:
        """Give the home of an account; empty when there is none."""
        answer = self._host.run(f"sh -c {shlex.quote(_HOME)} home %s", account)
        fields = answer.stdout.split("\n")[0].split(":")
        return fields[5] if answer.rc == 0 and len(fields) == 7 else ""

    def _nested(self, directory: str, names: list[str], account: str | None) -> str:
        """Follow `names` down; each is beside its parent's run or in the directory that the parent's runsvdir scans."""
        if not names:
            return directory
        command = f"sh -c {shlex.quote(_NESTED)} nested {shlex.join([directory, *names])}"
        answer = self._as(command, account)
        return answer.stdout.rstrip("\n") if answer.rc == 0 else "/".join([directory, *names])

    def _owner(self, path: str) -> str | None:
        """Give the first account but root that owns something on the way to `path`; HostError when that has no name."""
        if not self._is_root:
            return None
        way = [*[str(parent) for parent in reversed(PurePosixPath(path).parents)][1:], path]
        lines = self._host.run(f"stat -c '%%u %%U' {' '.join(['%s'] * len(way))}", *way).stdout.splitlines()
        uid, _, name = next((line.partition(" ") for line in lines if not line.startswith("0 ")), ("0", "", "root"))
        if name == "UNKNOWN":
            problem = f"something on the way there belongs to {uid}, which is no account on this host: nobody can look as that one"
            raise HostError(Problem(problem, path=path))
        return None if uid == "0" else name

    def _as(self, command: str, account: str | None) -> Answer:
        if account is None:
            return self._host.run(command)
        # Root's environment is nothing for the account.
        return self._host.run('env -i PATH="$PATH" su -s /bin/sh %s -c %s', account, command)

    def _run(self, command: str, account: str | None = None) -> str:
        answer = self._as(command, account)
        if answer.rc != 0:
            who = f"as {account} " if account else ""
            problem = f"a shell command {who}failed with {answer.rc}: {answer.stderr.strip() or answer.stdout.strip()}"
            raise HostError(Problem(problem, hint="the host needs a POSIX shell, od, dd, tail, stat and readlink"))
        return answer.stdout
