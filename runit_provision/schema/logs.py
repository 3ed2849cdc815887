"""The log of one service, with its defaults resolved."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runit_provision.model.account import Account
from runit_provision.model.logging import Filter, Log, Logger, Policy, Remote, Runner
from runit_provision.model.run import Script
from runit_provision.model.tree import Realm
from runit_provision.runtime.wire import svlogd_config
from runit_provision.schema.contents import Contents
from runit_provision.schema.fields import BLANK_AT_THE_END, variables
from runit_provision.schema.log_spec import LogSpec
from runit_provision.schema.place import Place
from runit_provision.schema.problems import Path
from runit_provision.schema.service_spec import ServiceSpec

_FLAT = {"log_size": "size", "log_max_files": "keep", "log_min_files": "keep_min", "log_rotate_time": "age", "timestamp": "timestamp"}

_POOLED_LINE = 16384
"""Most bytes of a line that the pool's loggers look at; runtime/shell/pool/logger.py."""


def read_log(name: str, spec: ServiceSpec, place: Place, path: Path) -> Log | None:
    """Give the log of the service `name`, None when it has none."""
    log = spec.log or LogSpec()
    given = {key: getattr(spec, key) for key in _FLAT if getattr(spec, key) is not None}
    for key in given:
        if _FLAT[key] in log.model_fields_set:
            place.problems.add((*path, key), f"says the same as `log.{_FLAT[key]}`", hint="keep one")
    log = log.model_copy(update={_FLAT[key]: value for key, value in given.items()})
    directory = f"{f'{spec.basedir}/logs' if spec.basedir and not spec.logdir else spec.logdir or place.logs}/{place.log_prefix}{name}"
    return read_logger(name, log, directory, place, (*path, "log"))


def read_logger(name: str, log: LogSpec, directory: str, place: Place, path: Path) -> Log | None:
    """Give the log of `name` that `log` asks for; its directory is `directory` unless the data names one."""
    if log.type == "none":
        return None
    if log.type == "script" or log.run:
        if log.run:
            return Contents(place, {"name": name}).script(log.run, (*path, "run"))
        place.problems.add(path, "`type: script` needs the script", hint="give `run`")
        return Script("")
    _check(log, place, path)
    alone = dict(_alone(log))
    runner = Runner(log.type) if log.type else Runner.RSVLOG if place.shipped and not alone else Runner.SVLOGD
    for key, reason in alone.items() if runner is Runner.RSVLOG else ():
        place.problems.add((*path, key), reason, hint="use `type: svlogd`")
    if runner is Runner.RSVLOG and not place.shipped:
        place.problems.add((*path, "type"), "rsvlog belongs to the shipped runtime", hint="use `svlogd`")
    account = _account(log, place, path)
    directory = log.directory or directory
    return Logger(
        runner=runner,
        directory=directory,
        realm=Realm(account.name, directory) if account else place.hands(directory),
        account=account,
        mode=log.mode,
        timestamp=log.timestamp,
        policy=_policy(log),
        line_length=log.line_length,
        buffer=log.buffer,
        replace=log.replace,
        replace_also=log.replace_also,
        memory=log.memory,
        environment=tuple(variables(log.env).values()),
    )


def _alone(log: LogSpec) -> Iterator[tuple[str, str]]:
    """Give each key that takes a logger of its own, and why."""
    if log.memory is not None:
        yield "memory", "rsvlog shares one process with other logs and cannot be limited"
    if (log.line_length or 0) > _POOLED_LINE:
        yield "line_length", f"rsvlog takes at most {_POOLED_LINE} bytes of a line"
    if log.env:
        yield "env", "rsvlog shares one process with other logs, and its environment"
    for key, value in (("replace", log.replace), ("replace_also", log.replace_also)):
        if value and re.search(r"\s", value):
            yield key, "rsvlog takes its options apart at blanks"


def _policy(log: LogSpec) -> Policy:
    return Policy(
        size=log.size,
        keep=log.keep,
        keep_min=log.keep_min,
        age=log.age or None,
        processor=log.processor,
        remote=Remote(log.remote.address, log.remote.only) if log.remote else None,
        prefix=log.prefix,
        filters=tuple(Filter(item[:1], item[1:]) for item in log.filters),
    )


def _check(log: LogSpec, place: Place, path: Path) -> None:
    """Refuse what svlogd would ignore or misread; svlogd(8), CONFIG."""
    problem = place.problems.add

    def misread(where: Path, line: str) -> None:
        """Ask svlogd's own grammar about one line of the config."""
        for found in svlogd_config.parse(line.encode() + b"\n")[1]:
            problem(where, found.message, hint=found.hint)

    if log.keep and log.keep_min >= log.keep:
        at = "keep_min" if "keep_min" in log.model_fields_set else "keep"
        problem((*path, at), f"keep_min ({log.keep_min}) is not less than keep ({log.keep}); svlogd would ignore it")
    length = log.line_length or 1000
    if 0 < log.size <= length:
        problem((*path, "size"), f"{log.size} is not above the line length ({length}): every file would be cut within a line")
    if log.buffer is not None and log.buffer <= length:
        problem((*path, "buffer"), f"{log.buffer} is not more than the line length ({length})")
    if log.remote:
        misread((*path, "remote", "address"), f"u{log.remote.address}")
    for key, letter in (("prefix", "p"), ("processor", "!")):
        value = getattr(log, key)
        if value is not None:
            misread((*path, key), letter + value)
    for index, item in enumerate(log.filters):
        if item[0] not in "-+eE" or len(item) == 1:
            problem(
                (*path, "filters", index), f"{item!r} is no filter", hint="start it with - (drop), + (take), e or E (standard error)"
            )
        else:
            misread((*path, "filters", index), item)
    _check_words(log, place, path)
    place.check_syntax(log.processor or "", (*path, "processor"))


def _check_words(log: LogSpec, place: Place, path: Path) -> None:
    """Refuse what neither an option nor a file of an env directory can hold."""
    problem = place.problems.add
    for name, value in log.env.items():
        if value and value.text.endswith((" ", "\t")):
            problem((*path, "env", name), BLANK_AT_THE_END)
    if log.replace is not None and (len(log.replace) != 1 or not log.replace.isascii()):
        problem((*path, "replace"), f"{log.replace!r} is not one character of ASCII")
    if not log.replace_also.isascii():
        problem((*path, "replace_also"), f"{log.replace_also!r} is not ASCII: svlogd replaces bytes")


def _account(log: LogSpec, place: Place, path: Path) -> Account | None:
    if not log.user or log.user == place.account.name:
        return None
    if not place.privileged:
        place.problems.add((*path, "user"), f"only root may write as another user, and this tree belongs to {place.account.name}")
    return place.find_account(log.user, (*path, "user"))
