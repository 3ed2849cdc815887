"""What the `config` of a log directory says: svlogd(8), CONFIG FILE."""

from __future__ import annotations

import errno
import posix

from ...wire import errors, svlogd_config
from .folder import READ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .directory import Log

DEFAULT = svlogd_config.Config()
"""Of a log without one."""
_LONGEST = 1 << 18
"""Bytes: other logs wait while one is read, and whose it is may make it as long as he likes."""

_alikes = [DEFAULT]
_ALIKES_MAX = 8


def read(log: Log) -> tuple[svlogd_config.Config, tuple[svlogd_config.ConfigProblem, ...]]:
    """Give what it says, and what is wrong with it. OSError when there is no room for its descriptor.

    In a folder where other accounts can write, none of them has us run a processor.
    """
    config, problems = svlogd_config.parse(_text(log))
    if config.processor and log.folder.is_guarded:
        log.warn(b"others can write there, no processor is run", name=log.name + b"/config")
        config = config.processed_by(b"")
    return _alike(config), problems


def _alike(config: svlogd_config.Config) -> svlogd_config.Config:
    """Give a config that equals this one, maybe another log's: of thousands most say the same, and none is ever changed."""
    for known in _alikes:
        if known == config:
            return known
    _alikes[:] = [*_alikes[1 - _ALIKES_MAX :], config]
    return config


def _text(log: Log) -> bytes:
    """Give what is in the file; nothing, after a warning, when it cannot be read. OSError as above."""
    try:
        descriptor = log.folder.open_file("config", READ)
    except FileNotFoundError:
        return b""
    except OSError as error:
        if error.errno in errors.NO_DESCRIPTOR:
            raise
        log.warn(b"unable to read config", error)
        return b""
    data = b""
    try:
        while len(data) <= _LONGEST and (more := posix.read(descriptor, 65536)):
            data += more
        if len(data) > _LONGEST:
            raise OSError(errno.EFBIG, "")
    except OSError as error:
        log.warn(b"unable to read config", error)
        return b""
    finally:
        posix.close(descriptor)
    log.inform(b"read: " + log.name + b"/config")
    return data
