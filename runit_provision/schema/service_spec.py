"""The keys of one service."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, Strict, TypeAdapter, ValidatorFunctionWrapHandler, WrapValidator

from runit_provision.schema.base import Spec
from runit_provision.schema.ending_spec import FinishValue, RestartValue, StopValue
from runit_provision.schema.fields import (
    Absolute,
    Apart,
    CommandValue,
    Count,
    EntryPath,
    Flag,
    Line,
    Lines,
    Name,
    Nice,
    Size,
    Span,
    Text,
    Umask,
    Variables,
    Verb,
)
from runit_provision.schema.file_spec import FileValue, ScriptValue
from runit_provision.schema.health_spec import CheckValue
from runit_provision.schema.json_kinds import LINE, NAME, RELATIVE, Forms, Kind
from runit_provision.schema.log_spec import LogValue, TimestampValue

LETTERS = "tduxk12haiqcp"


class LimitsSpec(Spec):
    """Soft limits; bytes may be written like `512m`. More than the supervisor's hard ones is an error."""

    memory: Size | None = None
    """Data, stack, locked and address space, each; `chpst -m`. Example: 512m"""
    data: Size | None = None
    """Data segment. Example: 256m"""
    stack: Size | None = None
    """Stack. Example: 8m"""
    resident: Size | None = None
    """Resident memory. Example: 256m"""
    files: Count | None = None
    """Open files. Example: 4096"""
    processes: Count | None = None
    """Processes of the user. Example: 200"""
    file_size: Size | None = None
    """Size of a written file. Example: 1g"""
    core: Size | None = None
    """Size of a core file. Example: 0"""
    cpu: Span | None = None
    """Seconds of processor time. Example: 1h"""


class LockSpec(Spec):
    """A lock that is held while the service runs."""

    path: Absolute
    """The lock's file. Example: /run/lock/worker"""
    wait: Flag = True
    """Wait for who holds it, or fail at once. Example: false"""


class DelegateSpec(Spec):
    """Who else may control a service."""

    user: Line | None = None
    """An account. Example: deployer"""
    group: Line | None = None
    """A group. Example: operators"""


CONTROL = Forms(
    "Control", "Scripts in place of signals, by runsv's letter.", names=Kind("Letter", "What runsv calls a signal.", enum=[*LETTERS])
)
FILES = Forms("Files", "Other files of a service directory, by their paths.", names=RELATIVE)
SERVICES = Forms("Services", "Services by name; null means all defaults.", names=NAME, empty=True)


INSTANCES = Forms(
    "Instances",
    "Instances of a service: a list of names, or a hash that says how each differs.",
    {"type": "array", "items": NAME.reference, "uniqueItems": True},
    names=NAME,
)


def _instances(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """Names alone are instances that have no data of their own."""
    if not isinstance(value, list):
        return handler(value)
    return dict.fromkeys(_names().validate_python(value))


@cache
def _names() -> TypeAdapter[list[Name]]:
    return TypeAdapter(list[Name])


def _lock(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


def _notifies(value: Any) -> Any:
    """A list, or a lone name, is told to restart."""
    names = value if isinstance(value, list) else [value]
    return value if isinstance(value, dict) or not all(isinstance(name, str) for name in names) else dict.fromkeys(names, "restart")


ORPHANS = Forms("Orphans", "Seconds that they have after TERM; `true` is none, `false` leaves them alone.", {"type": "boolean"})


def _orphans(value: Any) -> Any:
    return {True: 0, False: None}[value] if isinstance(value, bool) else value


class ServiceSpec(Spec):
    """What runs, as whom, and what becomes of it. One of `command`, `run` and `services` is needed."""

    # What runs.
    command: CommandValue | None = None
    """What runs: a list is a program and its arguments, a string a line that the shell reads.
    Example: [worker, --queue, "it's 100% mine"] Example: worker --home "$HOME" """
    run: ScriptValue | None = None
    """The whole of `run`, instead of `command`: its text, shebang included, or a template or a file. What would have to be written into
    it (`env`, `user`, `limits` and the like) has no place beside it; of the defaults that is left out, with a warning.
    Example: "#!/bin/sh\\nexec worker\\n" Example: {template: worker.sh.j2, variables: {port: 8080}} Example: {source: worker.sh}"""
    before: Text = ""
    """Shell lines that `run` does before the command, as who runs the tree. They see what `env` says, but for names that the shell
    keeps for itself (IFS, PWD, UID and the like) or cannot write; with a secret in it the script is its owner's alone to read.
    Example: install -d -m 0755 /run/worker"""
    one_shot: Flag = False
    """It runs once and stays down; a start while it runs makes it run once more (`sv o .` comes first). Example: true"""
    instances: Annotated[dict[Name, ServiceSpec | None], WrapValidator(_instances), INSTANCES] | None = None
    """One service for each of these, `NAME_INSTANCE`; scripts and the process find it as `$INSTANCE`, templates as `service.instance`.
    A hash says of each what it has in place of what the service says, or beside that.
    Example: [tty1, tty2] Example: {tty1: null, ttyS0: {env: {SPEED: 9600}}}"""
    services: Annotated[dict[Name, ServiceSpec], SERVICES] | None = None
    """A nested tree: this service is a runsvdir over these. Example: {back: {command: [back]}, front: {command: [front]}}"""

    # Order.
    requires: Lines = Field(default_factory=list)
    """Services that have to run, and to pass their check, before this one starts; a one-shot has to have succeeded since boot. A name
    is one of the same tree; with a slash it is an id as `status` shows it, `/NAME` a service of the host.
    Example: [db] Example: [/postgresql, apprun2/cache]"""
    requires_timeout: Span = 60
    """Seconds that it waits for them; then its start fails, and is tried again. Example: 2m"""
    notifies: Annotated[
        dict[Line, Verb],
        BeforeValidator(_notifies),
        Forms(
            "Notifies",
            "Services to restart: a name, or several, or a hash that says what each is told.",
            LINE.reference,
            {"type": "array", "items": LINE.reference},
            names=LINE,
        ),
    ] = Field(default_factory=dict)
    """Services that are told whenever this one has ended, a one-shot when it has succeeded: they restart, or do what the hash says. A
    one-shot runs (once more), any other that is down stays so. Named as in `requires`. Example: [web] Example: {nginx: hup}"""

    # The process's state.
    user: Line | None = None
    """The account that it runs as; default: the tree's owner. Example: www-data"""
    group: Line | None = None
    """Its group; default: the account's primary one. Example: adm"""
    groups: Lines = Field(default_factory=list)
    """Supplementary groups; all others are dropped. Example: [audio, video]"""
    env: Variables = Field(default_factory=dict)
    """Environment; null unsets a variable. Example: {REGION: north, LANG: null}"""
    env_directories: list[Absolute] = Field(default_factory=list)
    """More directories in the format of chpst -e, for the program alone; `env` wins. Example: [/etc/worker/env]"""
    directory: Absolute | None = None
    """Working directory; default: the service directory. Example: /srv/worker"""
    chroot: Absolute | None = None
    """Root directory, in which it starts. Example: /srv/jail"""
    umask: Umask | None = None
    """File mode creation mask, octal. Example: "027" """
    nice: Nice = 0
    """Niceness that is added. Example: 5"""
    limits: LimitsSpec = LimitsSpec()
    """Soft limits. Example: {files: 1024, memory: 512m}"""
    lock: (
        Annotated[
            LockSpec,
            BeforeValidator(_lock),
            Forms(
                "Lock",
                "A lock that is held while the service runs: its file, or a hash that says not to wait for it.",
                {"type": "string", "pattern": "^/"},
            ),
        ]
        | None
    ) = None
    """A file that is locked while it runs; it is opened as the account that it runs as, in its root directory.
    Example: /run/lock/worker"""
    session: Flag = False
    """It gets a session and process group of its own. Example: true"""
    close: list[Literal["stdin", "stdout", "stderr"]] = Field(default_factory=list)
    """Standard streams that are closed. Example: [stdin]"""
    argv0: Line | None = None
    """The name that it is called by. Example: -sh"""
    stderr: Literal["log", "supervisor"] | None = None
    """Where standard error goes: to the `log` (the default where there is one) or to the `supervisor`'s own. Example: supervisor"""
    home: Absolute | None = None
    """HOME. Example: /srv/worker"""

    # The end, health, control.
    stop: StopValue | None = None
    """How it is told to end, how long that may take (apply waits so long; default: `--timeout`), and whether it is killed then; a lone
    number is the seconds, a lone word the signal. Example: quit Example: {signal: interrupt, seconds: 20, kill: true}"""
    finish: FinishValue | None = None
    """What happens when it has ended; a text is the whole script. Example: {mail: {on_failure: admins@example.com}}"""
    restart: RestartValue = None
    """How often it may end by itself before it stays down; `always` (the default), `never`, or a hash. An end that somebody asked for
    (`sv restart`, `sv term`) is none of these, and a one-shot stays down anyway. Example: never Example: {at_most: 3, within: 30s}"""
    restart_interval: Span | None = None
    """Like `restart.within`. Example: 30"""
    restart_count: Count | None = None
    """Like `restart.at_most`. Example: 3"""
    clear_interval: Span | None = None
    """Like `restart.forget`. Example: 300"""
    check: CheckValue | None = None
    """When it is of use; a text is the whole script.
    Example: {tcp: 8080} Example: {all: [{tcp: 8080}, {services: [db]}], timeout: 3}"""
    ready: Annotated[int | None, Strict(), Field(ge=3, le=65535)] = None
    """The descriptor on which the program writes a newline when it is ready, as with s6; `sv start`, `sv check`, and services that
    require it wait for that, unless `check` says otherwise. Needs the shipped runtime. Example: 3"""
    max_delay: Span | None = None
    """It rests 2, 4, 8 and so on seconds, so many at most, before the next start when it ends again and again by itself, each time
    within as many seconds; `sv start` ends the rest. Needs the shipped runtime. Example: 5m"""
    kill_orphans: Annotated[Annotated[Span, ORPHANS] | None, BeforeValidator(_orphans)] = None
    """What it leaves behind (daemons that forked away) ends before `finish` and before the next start: by KILL, or when seconds are
    given by TERM, and KILL after those. Needs the shipped runtime. Example: true Example: 10s"""
    delegate: DelegateSpec | None = None
    """Who else may control it, and its log; under another runtime than the shipped one only once it was started.
    Example: {group: operators}"""
    control: Annotated[dict[str, ScriptValue], CONTROL] = Field(default_factory=dict)
    """Scripts in place of signals, by letter: t d u x k 1 2 h a i q c p. Example: {h: "#!/bin/sh\\nexec worker --reload\\n"}"""
    control_from: Absolute | None = None
    """A directory of such scripts that several services share: each letter is a link to the one there, should there be one; what
    `control` and `stop` say goes before it. Example: /etc/sv/shared-control"""

    # The log.
    log: LogValue | None = None
    """Its log; `false` for none. Example: {size: 1m, keep: 10} Example: false"""
    log_size: Size | None = None
    """Like `log.size`. Example: 1000000000"""
    log_max_files: Count | None = None
    """Like `log.keep`. Example: 30"""
    log_min_files: Count | None = None
    """Like `log.keep_min`. Example: 2"""
    log_rotate_time: Span | None = None
    """Like `log.age`. Example: 86400"""
    timestamp: TimestampValue | None = None
    """Like `log.timestamp`. Example: true"""

    # Places and state.
    files: Annotated[dict[EntryPath, FileValue], Apart, FILES] = Field(default_factory=dict)
    """Other files of the service directory, by relative path; a text is the content, a path that ends in a slash a directory.
    Example: {worker.conf: "port=8080\\n", reload: {source: reload.sh, mode: "0755"}, conf.d/: {source: worker.d}}"""
    basedir: Absolute | None = None
    """Directory that holds `runit/NAME`, the definition, and `logs/NAME`, and is made with them; default: the tree's own places.
    Example: /srv/worker"""
    logdir: Absolute | None = None
    """Directory that holds the log directory, and is made. Example: /srv/logs"""
    link: Name | None = None
    """The name under which runsvdir finds it, of an instance with `_INSTANCE` behind it; default: its own. Example: 10-worker"""
    ensure: Literal["running", "stopped", "absent", "any"] | None = None
    """`running` (the default), `stopped`, `absent`, or `any`: as people left it (the default with `down`). Example: stopped"""
    enabled: Flag | None = None
    """It starts at boot. Example: false"""
    down: Flag | None = None
    """The opposite of `enabled`: a file `down` keeps it from starting by itself. Example: true"""
    on_change: Literal["restart", "hup", "term", "wait", "nothing"] = "restart"
    """What a running service gets when what it runs was changed; a one-shot that is to restart runs once more. Example: hup"""
