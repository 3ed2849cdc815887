"""The state that a process starts in: who it is, what it may use, what it sees; chpst(8)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

from runit_provision.model.account import Account

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where a host has its programs, whatever PATH somebody has."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Soft limits, None for the inherited one: bytes, but `files` and `processes` count and `cpu` is in seconds.

    memory sets data, stack, locked memory and the whole address space each, as `chpst -m` does.
    """

    memory: int | None = None
    data: int | None = None
    stack: int | None = None
    resident: int | None = None
    files: int | None = None
    processes: int | None = None
    file_size: int | None = None
    core: int | None = None
    cpu: int | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whom a process becomes; `group` None is the account's primary group, `groups` are supplementary (all others are dropped)."""

    account: Account
    group: str | None = None
    groups: tuple[str, ...] = ()


_SHELLS_OWN = re.compile(
    r"_|IFS|OPT(?:IND|ARG|ERR)|PWD|OLDPWD|PPID|E?UID|GROUPS|PS[0-4]|ENV|LINENO|S?RANDOM|SECONDS|EPOCH\w+|HIST\w*|FUNCNAME|DIRSTACK"
    r"|BASH\w*|SHELLOPTS|COMP_\w*|POSIXLY_CORRECT|TMOUT"
)
"""Names that dash, bash, busybox's ash or mksh set, read or refuse to set for the script's own sake."""


def lines_can_see(name: str) -> bool:
    """Whether a script can set the variable `name`, so that its lines and all that they call have it."""
    return bool(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)) and not _SHELLS_OWN.fullmatch(name)


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the environment; a value of None unsets it. in_script: the lines of the script are to see it too."""

    name: str
    value: str | None = field(repr=False)
    secret: bool = False
    in_script: bool = False


class Stream(Enum):
    """A standard stream, by the number that chpst's option has."""

    INPUT = "0"
    OUTPUT = "1"
    ERROR = "2"


@dataclass(frozen=True, slots=True)
class Lock:
    """A file that is locked before the program runs; `wait` False fails at once when another holds it."""

    path: str
    wait: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What is changed before the program runs; every default means: as inherited from the supervisor.

    credentials: None keeps those of the tree's owner. directory: the working directory (absolute), else the service's own.
    nice: an increment. merge_stderr: standard error goes where standard output goes, to the log.
    """

    credentials: Credentials | None = None
    environment: tuple[Variable, ...] = ()
    environment_directories: tuple[str, ...] = ()
    directory: str | None = None
    root: str | None = None
    umask: int | None = None
    nice: int = 0
    limits: Limits = Limits()
    lock: Lock | None = None
    own_session: bool = False
    closed: tuple[Stream, ...] = ()
    argv0: str | None = None
    merge_stderr: bool = False
