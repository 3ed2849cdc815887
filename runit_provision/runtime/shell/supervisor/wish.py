"""What a service wants its processes' parent to make, and what that is told of it."""

from __future__ import annotations

import errno
import os

from ...wire import errors
from ...wire import keeper as wire
from .groups import Groups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..loop import Loop
    from ..service.supervised import Supervised
    from ..state import State
    from .parents import Request


class Wish:
    """A process that is wanted, as Tree.spawn was called for it; thousands may wait until the keeper can be told."""

    __slots__ = ("_wishes", "arguments", "key", "leads", "notify", "role", "service", "swept")

    def __init__(
        self,
        wishes: Wishes,
        service: Supervised,
        *,
        key: int,
        role: int,
        arguments: tuple[str, ...],
        notify: tuple[int, int] | None,
        swept: bool,
        leads: bool,
    ) -> None:
        self._wishes = wishes
        self.service = service
        self.key = key
        self.role = role
        self.arguments = arguments
        self.notify = notify
        self.swept = swept
        self.leads = leads

    def request(self) -> Request | None:
        """Give what is to be asked for by now, as Wishes.request does."""
        return self._wishes.request(self)


class Wishes:
    """What the wishes of a tree have in common. new_session: whether what is made leads, or is led in, a session of its own."""

    def __init__(self, loop: Loop, state: State, *, new_session: bool) -> None:
        self._loop = loop
        self._flags = wire.NEW_SESSION if new_session else 0
        self._groups = Groups(state)

    def request(self, wish: Wish) -> Request | None:
        """Give what is to be asked for; None when the service is gone, or will be told why that cannot be."""
        service, key = wish.service, wish.key
        if service.closed:
            return None
        try:
            return self._request(wish)
        except OSError as error:
            reason = errors.text(error.errno or 0)
            self._loop.soon(lambda: service.failed(key, reason))
            return None

    def _request(self, wish: Wish) -> Request:
        service, role, notify = wish.service, wish.role, wish.notify
        directory = service.home.fd
        if directory < 0:
            raise FileNotFoundError(errno.ENOENT, "the directory is gone")
        fds: tuple[int, ...] = (directory,)
        if service.log_files is not None and service.log_files.has_pipe:
            fds += (service.log_files.pipe,)
        flags = self._flags
        descriptor, name = 0, service.identity.name
        if notify is not None:
            descriptor, flags, fds = notify[0], flags | wire.NOTIFIES, (*fds, notify[1])
        if role == wire.SWEEP:
            flags = 0
        opened: tuple[int, ...] = ()
        left = self._groups.open_left(service.identity) if role == wire.SWEEP else -1
        if left >= 0:
            flags, opened = flags | wire.LEFT, (left,)
        try:
            group = self._groups.open(service.slot, service.identity, make=role != wire.SWEEP) if wish.swept else -1
        except OSError:
            for fd in opened:
                os.close(fd)
            raise
        if wish.swept:
            flags |= wire.SWEPT
        if wish.leads:
            flags |= wire.LEADS
        if group >= 0:
            flags, opened = flags | wire.GROUPED, (*opened, group)
        request = wire.Record(
            wire.SPAWN, slot=service.slot, key=wish.key, role=role, flags=flags, value=descriptor, arguments=wish.arguments, name=name
        )
        return request, (*fds, *opened), opened

    def forget(self, service: Supervised) -> None:
        """A service is gone, and with it the group of what it started."""
        self._groups.remove(service.slot, service.identity)
