"""The number of an account that logs are to be written as, which only who knows all accounts of the host can tell.

That may be a directory service on the network, and it may take as long as it likes: a child asks, and the supervisor goes on. What is
learnt counts until a log of that account fails. Until it is known, an Account stands in the place of the pool that it leads to.
"""

from __future__ import annotations

import _signal
import os

from ...wire import errors
from .. import process
from ..report import Trouble, be_child
from ..title import name_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..service.supervised import Supervised
    from .log_pool import Pool
    from .loggers import Loggers

NAME = b"account-lookup"
PATIENCE = 30
"""Seconds after which an answer is not waited for any more, and asked for anew."""
_AGAIN_SECONDS = 1.0
_SIZE = 64
_UNKNOWN = b"unknown"


class Account:
    """The account `name`, and the services whose logs wait for its pool; pool: None until it is known."""

    pid = 0

    def __init__(self, loggers: Loggers, name: bytes) -> None:
        self.name = name
        self.pool: Pool | None = None
        self.wanted: dict[int, Supervised] = {}
        self._loggers = loggers
        self._asks = False
        self._trouble = Trouble(loggers.tree.report)

    def add(self, service: Supervised) -> None:
        """Let the pool keep the log of `service` as soon as it is known."""
        self.wanted[service.slot] = service
        if self.pool is not None:
            self._hand_over(self.pool)
        elif not self._asks:
            self.ask()

    def keep(self, service: Supervised) -> bool:
        """Whether a log that no pool has any more is being asked for."""
        return service.slot in self.wanted

    def signal(self, service: Supervised, number: int) -> bool:  # noqa: ARG002 - of no log
        """There is no logger yet."""
        return False

    def close(self, service: Supervised) -> None:
        """Let the log of `service` read to the end of its FIFO, once there is a pool. OSError when that cannot be now."""
        self._loggers.tree.stop_writing(service)

    def ask(self) -> None:
        """Have a child ask for the number."""
        self._asks = True
        try:
            answer = _ask(self.name)
        except OSError as error:
            self._ask_again(errors.words(error))
        else:
            self._loggers.tree.loop.watch(answer, lambda: self._answered(answer))

    def _answered(self, answer: int) -> None:
        self._loggers.tree.loop.forget(answer)
        try:
            text = os.read(answer, _SIZE)
        except OSError:
            text = b""
        finally:
            os.close(answer)
        if not text:
            self._ask_again("no answer")
            return
        self._asks = False
        if text == _UNKNOWN:
            self._fail()
            return
        uid, gid = text.split()
        self.pool = self._loggers.pool(int(uid), int(gid))
        self._hand_over(self.pool)

    def expect(self) -> None:
        """There is no pool yet that could hold up a service."""

    def _ask_again(self, reason: str) -> None:
        tree = self._loggers.tree
        self._trouble.tell(f"runsv: warning: RSVLOG_USER: unable to look up {self._shown}, its logs wait: {reason}")
        tree.loop.after(_AGAIN_SECONDS, self.ask)

    def _hand_over(self, pool: Pool) -> None:
        for service in self._taken():
            service.pool = pool
            pool.add(service)

    def _fail(self) -> None:
        self._loggers.forget(self)
        for service in self._taken():
            service.log_failed(f"RSVLOG_USER: no such account: {self._shown}")

    def _taken(self) -> list[Supervised]:
        """Give those that wait, and have them wait no more."""
        waiting, self.wanted = self.wanted, {}
        return [service for service in waiting.values() if not service.closed]

    @property
    def _shown(self) -> str:
        return ascii(os.fsdecode(self.name))


def _ask(name: bytes) -> int:
    """Start a child that looks for the account `name`; give where its answer comes: uid and gid, _UNKNOWN, or nothing. OSError."""
    answer, out = os.pipe2(os.O_CLOEXEC)
    try:
        if os.fork() == 0:
            be_child(os.fsdecode(NAME), lambda: _look_up(name, out))
    except BaseException:
        os.close(answer)
        raise
    finally:
        os.close(out)
    return answer


def _look_up(name: bytes, out: int) -> None:
    # Who was to be told of signals is our parent; and it has locks open, which must not depend on our life.
    _signal.set_wakeup_fd(-1)
    for number in (_signal.SIGHUP, _signal.SIGTERM, _signal.SIGUSR2, _signal.SIGPIPE, _signal.SIGALRM):
        _signal.signal(number, _signal.SIG_DFL)
    process.close_all_but(out)
    name_process(NAME)
    _signal.alarm(PATIENCE)
    import pwd

    try:
        found = pwd.getpwnam(os.fsdecode(name))
        text = b"%d %d" % (found.pw_uid, found.pw_gid)
    except KeyError:
        text = _UNKNOWN
    os.write(out, text)
