"""Numbers that a service directory may hold beside runit's files, each in a file of its own, its first line.

notification-fd     descriptor, 3 or more, on which ./run writes a newline when it is ready (s6's file)
timeout-kill        milliseconds from the letter that ends ./run to KILL, control scripts included, 0 for never (s6's file); before that
                    as long for the control script that such a letter waits for
timeout-finish      milliseconds that ./finish may take before KILL, 0 for never (s6's file, there 5000 when absent)
max-delay           milliseconds, the longest rest before the next start of a service that keeps dying, 0 for runsv's second; backoff.py
kill-orphans        milliseconds from TERM to KILL for what ./run or ./finish leaves behind, empty or 0 for KILL at once; sweep.py

They count from the next time that they are needed; nothing has to be restarted. One that cannot be read now is not absent: OSError.
"""

from __future__ import annotations

import errno
import os

from ...wire import errors
from .files import NOT_NOW

NOTIFICATION_FD = "notification-fd"
TIMEOUT_KILL = "timeout-kill"
TIMEOUT_FINISH = "timeout-finish"
MAX_DELAY = "max-delay"
KILL_ORPHANS = "kill-orphans"

ABSENT = -1
_DIGITS_MAX = 10
_DESCRIPTORS = range(3, 65536)


def milliseconds(directory: int, name: str) -> int:
    """Give the number in the file `name` of the service directory, 0 for an empty one, or ABSENT.

    ValueError when it is none; OSError when nobody can tell now.
    """
    text = _first_line(directory, name)
    if text is None:
        return ABSENT
    if not text:
        return 0
    if not text.isdigit() or len(text) > _DIGITS_MAX:
        raise ValueError(f"{name} is no number of milliseconds, ignored")
    return int(text)


def notification_descriptor(directory: int) -> int:
    """Give the descriptor in notification-fd, 0 when there is no such file.

    ValueError when it is none that a run can have; OSError when nobody can tell now.
    """
    text = _first_line(directory, NOTIFICATION_FD)
    if text is None:
        return 0
    if not text.isdigit() or len(text) > _DIGITS_MAX or int(text) not in _DESCRIPTORS:
        raise ValueError(f"{NOTIFICATION_FD} is no descriptor of {_DESCRIPTORS.start} to {_DESCRIPTORS.stop - 1}, ignored")
    return int(text)


def _first_line(directory: int, name: str) -> bytes | None:
    if directory < 0:
        raise FileNotFoundError(errno.ENOENT, "the directory is gone")
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unknown("open", name, error) from None
    try:
        return os.read(fd, 64).partition(b"\n")[0].strip()
    except OSError as error:
        raise _unknown("read", name, error) from None
    finally:
        os.close(fd)


def _unknown(what: str, name: str, error: OSError) -> Exception:
    return error if error.errno in NOT_NOW else ValueError(f"unable to {what} {name}: {errors.words(error)}")
