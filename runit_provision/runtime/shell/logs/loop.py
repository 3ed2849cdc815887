"""svlogd's loop: standard input to one or more log directories, until its end or TERM; svlogd(8).

Signals only set a flag and wake the poll; between two chunks the flags are looked at, so none of them ever meets half-written
state. On TERM what was read is written, and a line that has begun is read to its end, byte by byte, so that the rest of the pipe
is the next reader's.
"""

from __future__ import annotations

import posix
import select
import time

from ...core import svlogd_stamp
from ...core.svlogd_lines import WHOLE, Batch, Lines
from .directory import Log
from .memory import keep_freed_memory
from .place import Place
from .stderr import print_error
from .steps import LONGEST, PAUSE, Pause, Wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal

    from ...core.svlogd_options import Options
    from .steps import Steps
else:
    import _signal

STDIN = 0
CHUNK = 65536
"""Bytes of one read, unless -b is greater: a pipe holds no more, unless it was widened."""
CHUNK_MAX = 1 << 20
"""Bytes, whatever -b says: memory is had for all of it before anything is read. Nobody but root widens a pipe to more (pipe(7))."""


class NoLogError(Exception):
    """Not one log directory can be written; exit 111."""


class Loop:
    """svlogd over log directories."""

    def __init__(self, places: list[Place], options: Options) -> None:
        self._options = options
        self._lines = Lines(limit=options.limit, table=options.table)
        self._logs = [Log(place, limit=options.limit, verbose=options.verbose, say=say) for place in places]
        self._ending = False
        self._rotating = False
        self._reopening = False
        self._ended = False
        self._wake, waker = posix.pipe2(posix.O_NONBLOCK | posix.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(STDIN, select.POLLIN)
        self._poll.register(self._wake, select.POLLIN)
        _signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        for number in (_signal.SIGTERM, _signal.SIGALRM, _signal.SIGHUP):
            _signal.signal(number, self._signalled)
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_signal.SIGTERM, _signal.SIGALRM, _signal.SIGHUP))

    def run(self) -> None:
        """Write until the input ends or TERM comes. Raises NoLogError."""
        keep_freed_memory()
        self._open_all()
        while not self._ended:
            if self._rotating:
                self._rotating = False
                for log in self._logs:
                    self._drive(log.rotate())
            if self._ending and not self._lines.inside_a_line:
                break
            if self._reopening:
                self._reopening = False
                self._open_all()
            self._rotate_the_aged()
            self._step()
        for log in self._logs:
            self._drive(log.processor.finish())
            self._drive(log.close())

    def _signalled(self, number: int, _frame: object) -> None:
        name = b""
        match number:
            case _signal.SIGTERM:
                self._ending = True
                name = b"sigterm"
            case _signal.SIGALRM:
                self._rotating = True
                name = b"sigalarm"
            case _signal.SIGHUP:
                self._reopening = True
                name = b"sighangup"
        if self._options.verbose:
            say(b"info: " + name + b" received.")

    def _open_all(self) -> None:
        for log in self._logs:
            self._drive(log.close())
            self._drive(log.open())
        if not any(log.is_open for log in self._logs):
            raise NoLogError

    def _rotate_the_aged(self) -> None:
        now = time.monotonic()
        for log in self._logs:
            if log.due and log.due <= now:
                self._drive(log.rotate())

    def _step(self) -> None:
        """Wait for input, a signal, a processor's end or a due time, and see to it."""
        due = [log.due for log in self._logs if log.due]
        running = [log for log in self._logs if log.processor.pid]
        for log in running:
            self._poll.register(log.processor.pidfd, select.POLLIN)
        timeout = max(0, int(min(min(due) - time.monotonic(), LONGEST) * 1000) + 1) if due else None
        ready = {descriptor for descriptor, _ in self._poll.poll(timeout)}
        for log in running:
            descriptor = log.processor.pidfd
            self._poll.unregister(descriptor)
            if descriptor in ready:
                self._drive(log.processor.reap())
        if self._wake in ready:
            posix.read(self._wake, 512)
        elif STDIN in ready:
            self._read()

    def _read(self) -> None:
        try:
            chunk = posix.read(STDIN, 1 if self._ending else min(max(self._options.buffer, CHUNK), CHUNK_MAX))
        except BlockingIOError:
            return  # another reader was faster
        except OSError as error:
            from ...wire import errors

            say(b"warning: unable to read standard input: " + errors.text(error.errno or 0))
            chunk = b""
        if chunk:
            stamp = svlogd_stamp.stamp(time.time_ns(), self._options.stamp)
            batches = self._lines.feed(chunk, stamp, limits=any(log.limits_lines for log in self._logs))
        else:
            batches = self._lines.end()
            self._ended = True
        self._write(batches)

    def _write(self, batches: list[Batch]) -> None:
        logs = [log for log in self._logs if log.is_open]
        if len(logs) > 1 and sum(log.selection.has_alerts for log in logs) > 1:
            batches = [single for batch in batches for single in _singles(batch)]  # so that stderr has them in svlogd's order
        for batch in batches:
            for log in logs:
                if alerts := log.selection.alerts(batch):
                    print_error(alerts)
        for log in logs:
            text = b"".join([log.text_of(batch) for batch in batches])
            if text:
                self._drive(log.write(text))

    def _drive(self, steps: Steps[object]) -> None:
        """Carry out `steps`; everything waits with them, as in C, and only the signals' flags go on."""
        for step in steps:
            match step:
                case Pause():
                    say(step.warning)
                    time.sleep(PAUSE)
                case Wait():
                    self._wait_for(step.descriptor)

    def _wait_for(self, descriptor: int) -> None:
        """Wait for a processor's end, or until a file is safe; of all signals only HUP has an effect meanwhile."""
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while descriptor not in {ready for ready, _ in poll.poll()}:
            posix.read(self._wake, 512)
            if self._reopening:
                for log in self._logs:
                    log.reread_processor()


def _singles(batch: Batch) -> list[Batch]:
    if batch.kind != WHOLE:
        return [batch]
    return [Batch(WHOLE, batch.stamp, line) for line in batch.data.splitlines(keepends=True)]


def say(text: bytes) -> None:
    """Print one message of svlogd's to stderr."""
    print_error(b"svlogd: " + text + b"\n")
