"""A service's log on disk: `log/run`, `log/env`, and svlogd's `config` in the log directory; svlogd(8)."""

from __future__ import annotations

from functools import lru_cache

from runit_provision.model.logging import Logger, Policy, Timestamp
from runit_provision.model.process import Credentials, Limits, Process, Variable
from runit_provision.model.run import Argv
from runit_provision.render.commands import command
from runit_provision.runtime.wire import svlogd_config
from runit_provision.runtime.wire.svlogd_config import Config, Instruction, Udp


def options(logger: Logger) -> tuple[str, ...]:
    """Give svlogd's options."""
    words: list[str] = [logger.timestamp.value] if logger.timestamp is not Timestamp.NONE else []
    if logger.replace is not None:
        words += ["-r", logger.replace]
    if logger.replace_also:
        words += ["-R", logger.replace_also]
    if logger.line_length is not None:
        words += ["-l", str(logger.line_length)]
    if logger.buffer is not None:
        words += ["-b", str(logger.buffer)]
    return tuple(words)


def svlogd_command(logger: Logger) -> str:
    """Give what stands behind the `exec` of a log/run that is a svlogd of its own."""
    process = Process(
        credentials=Credentials(logger.account) if logger.account else None,
        environment=logger.environment,
        limits=Limits(memory=logger.memory),
    )
    return command(Argv(("svlogd", *options(logger), logger.directory)), process, environment_directory="./env")


def rsvlog_environment(logger: Logger) -> tuple[Variable, ...]:
    """Give the variables that tell rsvlog where, as whom and how it writes; its defaults are left out."""
    values = {"RSVLOG_DIR": logger.directory}
    if logger.account:
        values["RSVLOG_USER"] = logger.account.name
    if options(logger) != ("-tt",):
        values["RSVLOG_OPTIONS"] = " ".join(options(logger)) or "--"  # empty would mean its default, -tt
    return tuple(Variable(name, value) for name, value in sorted(values.items()))


@lru_cache(maxsize=64)
def config(policy: Policy) -> bytes:
    """Give the log directory's `config`."""
    default = Config()
    remote = policy.remote
    udp = None
    if remote:
        address, _, port = remote.address.partition(":")
        udp = Udp(address, int(port)) if port else Udp(address)
    return svlogd_config.format(
        Config(
            size=default.size if policy.size is None else policy.size,
            keep=default.keep if policy.keep is None else policy.keep,
            keep_min=default.keep_min if policy.keep_min is None else policy.keep_min,
            age=policy.age or 0,
            processor=(policy.processor or "").encode(),
            prefix=(policy.prefix or "").encode(),
            udp=udp,
            udp_only=remote is not None and remote.only,
            instructions=[Instruction(ord(item.sign), item.pattern.encode()) for item in policy.filters],
        )
    )
