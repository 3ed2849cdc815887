"""The keys of one service."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from runit_provision.model.data import Sensitive
from runit_provision.schema.base import Spec
from runit_provision.schema.fields import (
    Absolute,
    CommandValue,
    Count,
    Flag,
    Line,
    Lines,
    Mode,
    Name,
    Relative,
    ScriptText,
    Secret,
    Size,
    Span,
    Text,
    Variables,
    Words,
    refuse,
)
from runit_provision.schema.log_spec import LogValue, TimestampValue

LETTERS = "tduxk12haiqcp"


class LimitsSpec(Spec):
    """Soft limits; bytes may be written like `512m`."""

    memory: Size | None = None
    """Data, stack, locked and address space, each; `chpst -m`."""
    data: Size | None = None
    """Data segment."""
    stack: Size | None = None
    """Stack."""
    resident: Size | None = None
    """Resident memory."""
    files: Count | None = None
    """Open files."""
    processes: Count | None = None
    """Processes of the user."""
    file_size: Size | None = None
    """Size of a written file."""
    core: Size | None = None
    """Size of a core file."""
    cpu: Span | None = None
    """Seconds of processor time."""


class LockSpec(Spec):
    """A lock that is held while the service runs."""

    path: Absolute
    """The lock's file."""
    wait: Flag = True
    """Wait for who holds it, or fail at once."""


class MailSpec(Spec):
    """Mail when the service has ended."""

    on_failure: Line | None = None
    """Address that is told when it ended though it was to be up."""
    on_stop: Line | None = None
    """Address that is told when it was stopped on purpose."""


class RestartSpec(Spec):
    """How often a service may end by itself before it stays down."""

    at_most: Count = 3
    """Ends in a row that are forgiven; 0 restarts never."""
    within: Span = 30
    """An end counts when it comes within so many seconds of the one before."""
    forget: Span = 300
    """So many seconds without an end forget those that were counted."""
    back_off: Span = 0
    """Most seconds to wait before a start: 1, 2, 4 and so on with each end that counts; 0 waits no longer than runit does."""


class DelegateSpec(Spec):
    """Who else may control a service."""

    user: Line | None = None
    """An account."""
    group: Line | None = None
    """A group."""


class StopSpec(Spec):
    """What becomes of a service that does not end when apply takes it down or restarts it."""

    seconds: Annotated[Span, Field(ge=1)] = 30
    """How long it may take."""
    kill: Flag = False
    """It is killed then; default: it is reported, and left as it is."""


class FinishSpec(Spec):
    """What happens when the service has ended."""

    run: ScriptText | None = None
    """The whole text of `finish`; its arguments are the exit code (-1 when killed) and the low byte of the wait status."""
    lines: Text = ""
    """Shell lines that clean up."""
    mail: MailSpec | None = None
    """Who is told."""


class ProbeSpec(Spec):
    """One thing that has to be so; exactly one key."""

    tcp: Line | None = None
    """`port`, or `host:port`, on which something listens."""
    http: Annotated[Line, Field(pattern="^https?://")] | None = None
    """A URL that answers with a status below 400."""
    unix: Absolute | None = None
    """A stream socket on which something listens."""
    file: Line | None = None
    """A file that exists."""
    command: Words | None = None
    """A program that exits 0."""
    services: Lines | None = None
    """Services that run and pass their own check."""


class CheckSpec(Spec):
    """When the service is of use."""

    run: ScriptText | None = None
    """The whole text of `check`."""
    all: list[ProbeSpec] = Field(default_factory=list)
    """What has to be so."""
    timeout: Span = 5
    """Seconds that each probe may take."""


class FileSpec(Spec):
    """One more file of the service directory."""

    content: Secret
    """Its text."""
    mode: Mode | None = None
    """Its mode; default 0644, of a secret 0600."""
    restarts: Flag | None = None
    """Whether a change of it restarts the service; default: when it is the program that the service runs."""


def _whole_script(value: Any) -> Any:
    """A lone text is the whole script."""
    return {"run": value} if isinstance(value, str) else value


def _check(value: Any) -> Any:
    """A lone text is the whole script; a list, or one probe, is all that has to be so."""
    if isinstance(value, list):
        return {"all": value}
    if isinstance(value, dict) and not value.keys() & {"run", "all", "timeout"}:
        return {"all": [value]}
    return _whole_script(value)


def _restart(value: Any) -> Any:
    if value == "never":
        return {"at_most": 0}
    if value == "always":
        return None
    if isinstance(value, str):
        raise refuse(f"has to be `never`, `always` or a hash, not {value!r}")
    return value


def _stop(value: Any) -> Any:
    return {"seconds": value} if isinstance(value, int | str) and not isinstance(value, bool) else value


def _lock(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


def _file(value: Any) -> Any:
    return {"content": value} if isinstance(value, str | Sensitive) else value


def _umask(value: Any) -> Any:
    if isinstance(value, str) and value.isdigit() and set(value) <= set("01234567"):
        return int(value, 8)
    return value


ControlScripts = Annotated[
    dict[str, ScriptText],
    WithJsonSchema({"type": "object", "propertyNames": {"enum": list(LETTERS)}, "additionalProperties": {"type": "string"}}),
]


class ServiceSpec(Spec):
    """One service."""

    # What runs.
    command: CommandValue | None = None
    """What runs: a list is a program and its arguments, a string a line that the shell reads."""
    run: ScriptText | None = None
    """The whole text of `run`, shebang included, instead of `command`."""
    before: Text = ""
    """Shell lines that `run` does before the command."""
    one_shot: Flag = False
    """It runs once and stays down; a start while it runs makes it run once more (`sv o .` comes first)."""
    instances: list[Name] = Field(default_factory=list)
    """One service for each of these, `NAME_INSTANCE`; scripts and the process find it as `$INSTANCE`."""
    services: dict[Name, ServiceSpec] | None = None
    """A nested tree: this service is a runsvdir over these."""
    requires: Lines = Field(default_factory=list)
    """Services that have to run, and to pass their check, before this one starts."""
    requires_timeout: Span = 60
    """Seconds that it waits for them; then its start fails, and is tried again."""

    # The process's state.
    user: Line | None = None
    """The account that it runs as; default: the tree's owner."""
    group: Line | None = None
    """Its group; default: the account's primary one."""
    groups: Lines = Field(default_factory=list)
    """Supplementary groups; all others are dropped."""
    env: Variables = Field(default_factory=dict)
    """Environment; null unsets a variable."""
    env_directories: list[Absolute] = Field(default_factory=list)
    """More directories in the format of chpst -e; `env` wins."""
    directory: Absolute | None = None
    """Working directory; default: the service directory."""
    chroot: Absolute | None = None
    """Root directory."""
    umask: Annotated[int, BeforeValidator(_umask), Field(ge=0, le=0o777)] | None = None
    """File mode creation mask, octal."""
    nice: Annotated[int, Field(ge=-40, le=40)] = 0
    """Niceness that is added."""
    limits: LimitsSpec = LimitsSpec()
    """Soft limits."""
    lock: Annotated[LockSpec, BeforeValidator(_lock)] | None = None
    """A file that is locked while it runs."""
    session: Flag = False
    """It gets a session and process group of its own."""
    close: list[Literal["stdin", "stdout", "stderr"]] = Field(default_factory=list)
    """Standard streams that are closed."""
    argv0: Line | None = None
    """The name that it is called by."""
    stderr: Literal["log", "supervisor"] | None = None
    """Where standard error goes: to the `log` (the default where there is one) or to the `supervisor`'s own."""
    home: Absolute | None = None
    """HOME."""

    # The end, health, control.
    finish: Annotated[FinishSpec, BeforeValidator(_whole_script)] | None = None
    """What happens when it has ended; a text is the whole script."""
    restart: Annotated[RestartSpec | None, BeforeValidator(_restart)] = None
    """How often it may end by itself before it stays down; `always` (the default), `never`, or a hash."""
    restart_interval: Span | None = None
    """Like `restart.within`."""
    restart_count: Count | None = None
    """Like `restart.at_most`."""
    clear_interval: Span | None = None
    """Like `restart.forget`."""
    check: Annotated[CheckSpec, BeforeValidator(_check)] | None = None
    """When it is of use; a text is the whole script."""
    delegate: DelegateSpec | None = None
    """Who else may control it, and its log."""
    stop: Annotated[StopSpec | None, BeforeValidator(_stop)] = None
    """How long apply waits for its end (default: `--timeout`), and whether it kills it then; a number is `stop.seconds`."""
    control: ControlScripts = Field(default_factory=dict)
    """Scripts in place of signals, by letter: t d u x k 1 2 h a i q c p."""
    control_from: Absolute | None = None
    """A directory of such scripts that several services share, instead of `control`; it is linked, and whose it is cares for it."""

    # The log.
    log: LogValue | None = None
    """Its log; `false` for none."""
    log_size: Size | None = None
    """Like `log.size`."""
    log_max_files: Count | None = None
    """Like `log.keep`."""
    log_min_files: Count | None = None
    """Like `log.keep_min`."""
    log_rotate_time: Span | None = None
    """Like `log.age`."""
    timestamp: TimestampValue | None = None
    """Like `log.timestamp`."""

    # Places and state.
    files: dict[Relative, Annotated[FileSpec, BeforeValidator(_file)]] = Field(default_factory=dict)
    """Other files of the service directory, by relative path; a text is the content."""
    basedir: Absolute | None = None
    """Directory that holds `runit/NAME`, the definition, and `logs/NAME`; default: the tree's own places."""
    logdir: Absolute | None = None
    """Directory that holds the log directory."""
    link: Name | None = None
    """The name under which runsvdir finds it; default: its own."""
    ensure: Literal["running", "stopped", "absent", "any"] | None = None
    """`running` (the default), `stopped`, `absent`, or `any`: as people left it (the default with `down`)."""
    enabled: Flag | None = None
    """It starts at boot."""
    down: Flag | None = None
    """The opposite of `enabled`: a file `down` keeps it from starting by itself."""
    on_change: Literal["restart", "hup", "term", "wait", "nothing"] = "restart"
    """What a running service gets when what it runs was changed; a one-shot that is to restart runs once more."""


ServiceSpec.model_rebuild()
