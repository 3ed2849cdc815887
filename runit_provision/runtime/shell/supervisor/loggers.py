"""Logs whose `log/run` is the shipped rsvlog: kept by pools, one process for each uid that logs are written as.

Where no pool can be had, the logger is executed as any other.
"""

from __future__ import annotations

import os

from ...wire import pool as wire
from .. import installation
from .kills import Seldom
from .log_pool import Pool, uid_of_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..service.supervised import Supervised
    from ..state import State
    from .accounts import Account
    from .tree import Tree

_PROGRAMS = ("rsvlog", "nsvlog")


class Loggers:
    """The pools of a tree; renews: whether those of another version are to become ours."""

    def __init__(self, tree: Tree, state: State) -> None:
        self.tree = tree
        self.state = state
        self.renews = False
        self.deaths = Seldom()
        self._pools: dict[int, Pool] = {}
        self._accounts: dict[bytes, Account] = {}

    def pool_of(self, service: Supervised) -> Pool | Account | None:
        """Give the pool that has kept the log of `service` under the supervisor before, or the one that should keep it now."""
        for pool in self._pools.values():
            if service.slot in pool.has:
                return pool
        return self.pool_for(service)

    def pool_for(self, service: Supervised) -> Pool | Account | None:
        """Give the pool that should keep the log of `service`; None when its log/run is to be executed.

        ImportError when what finds that out was never needed before, and is removed by now.
        """
        if self.state.directory < 0 or not _is_shipped(service.home.fd):
            return None
        try:
            name = _account(service.home.fd)
        except (OSError, ValueError):
            # rsvlog itself says what is wrong.
            return None
        return self._named(name) if name else self.pool(os.geteuid(), os.getegid())

    def pool(self, uid: int, gid: int) -> Pool:
        """Give the pool of `uid`, whose group is to be `gid`."""
        pool = self._pools.get(uid)
        if pool is None:
            pool = self._pools[uid] = Pool(self, uid)
        pool.gid = gid
        return pool

    def _named(self, name: bytes) -> Pool | Account:
        account = self._accounts.get(name)
        if account is None:
            from .accounts import Account

            account = self._accounts[name] = Account(self, name)
        return account.pool or account

    def forget(self, account: Account) -> None:
        """There is none of this name now."""
        self._accounts.pop(account.name, None)

    def doubt(self, pool: Pool) -> None:
        """A log of this pool failed: maybe an account that led to it has another number by now."""
        for account in list(self._accounts.values()):
            if account.pool is pool:
                self.forget(account)

    def started(self, uid: int, pid: int) -> None:
        """The keeper made a pool."""
        if uid in self._pools:
            self._pools[uid].started(pid)

    def ended(self, uid: int, pid: int, status: int) -> None:
        """A pool that was the keeper's child ended with a wait status."""
        if uid in self._pools:
            self._pools[uid].ended(pid, status)

    def rejoin(self) -> None:
        """Connect to the pools that outlived the supervisor before, and maybe their keeper."""
        if self.state.directory < 0:
            return
        for name in self.state.names():
            uid = uid_of_socket(name)
            if uid is None:
                continue
            pool = Pool(self, uid)
            if pool.rejoin():
                self._pools[uid] = pool

    def renew(self) -> None:
        """Have pools of another version become what we are, now or when they are met."""
        self.renews = True
        for pool in self._pools.values():
            pool.renew()

    def failed(self, uid: int, number: int) -> None:
        """The keeper could not make a pool, by errno: later."""
        if uid in self._pools:
            self._pools[uid].failed(number)

    def keeper_lost(self) -> None:
        """What was asked of the keeper before may not have happened."""
        for pool in self._pools.values():
            pool.start_again()

    def leave(self) -> None:
        """Every service is gone: so may the pools."""
        for pool in self._pools.values():
            pool.send(wire.Record(wire.QUIT))


def _is_shipped(directory: int) -> bool:
    """Whether log/run is a link to the rsvlog of this very installation, PREFIX/lib/runit-provision/VERSION being where we are."""
    try:
        target = os.readlink("log/run", dir_fd=directory)
    except OSError:
        return False
    if os.path.basename(target) not in _PROGRAMS:
        return False
    try:
        return os.path.samestat(os.stat("log/run", dir_fd=directory), os.stat(installation.tool(os.path.basename(target))))
    except OSError:
        return False


def _account(directory: int) -> bytes:
    """Give the name of the account that the log of the service directory is written as; empty for the one that we are.

    Raises OSError, and ValueError when settings make no sense.
    """
    if os.geteuid() != 0:
        return b""
    from ...core import svlogd_options
    from ..logs import settings

    log = os.open("log", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        return settings.read(log, os.environb).user
    except svlogd_options.UsageError as error:
        raise ValueError(error) from None
    finally:
        os.close(log)
