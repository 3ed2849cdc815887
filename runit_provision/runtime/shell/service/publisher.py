"""What supervise/ and log/supervise/ say of a service: runsv's files, and `detail` where there is more to be told (wire/detail.py).

A service's status is written once for all that changes in a turn, and, when it was asked for a process, once that is there.
"""

from __future__ import annotations

from ...core.backoff import SECOND
from ...core.part import LOG, MAIN
from ...wire import detail
from ...wire import holder as wire
from ...wire.status import DOWN, RUN, WANT_DOWN, WANT_UP
from .files import RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...core.part import Part
    from ..loop import Loop
    from .files import Supervise
    from .supervised import Supervised

_RETRY_SECONDS = 5.0
_LATE_SECONDS = 0.05
"""For a process that was asked for to be there; then its service is shown as it is without it."""


class Publishing:
    """The services of a tree whose status is to be written soon."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._changed: set[Supervised] = set()
        self._late: set[Supervised] = set()

    def changed(self, service: Supervised) -> None:
        """Write the status of `service` when this turn is over."""
        if not self._changed:
            self._loop.soon(self._publish)
        self._changed.add(service)

    def _publish(self) -> None:
        batch, self._changed = self._changed, set()
        for service in batch:
            self._loop.guarded(self._flush, service)

    def _flush(self, service: Supervised) -> None:
        if service.flush():
            if not self._late:
                self._loop.after(_LATE_SECONDS, self._publish_late)
            self._late.add(service)

    def _publish_late(self) -> None:
        batch, self._late = self._late, set()
        for service in batch:
            self._loop.guarded(lambda service: service.flush(late=True), service)


class Publisher:
    """kill_at: Unix time in nanoseconds when the main part's process is sent KILL, and its pid."""

    __slots__ = ("_details", "_dirty", "_owner", "_refused", "_retries", "kill_at")

    def __init__(self, owner: Supervised) -> None:
        self._owner = owner
        self._dirty = 0  # a bit for each part
        self._details: list[bytes | None] = [None, None]
        self._refused: tuple[str, ...] = ()
        self._retries = False  # soon: one retry is for all that failed until then
        self.kill_at = (0, 0)

    def changed(self, part: int) -> None:
        """Write the status of a part with the next flush."""
        self._dirty |= 1 << part

    def announce(self) -> None:
        """Have a first status of each part; what cannot be done is told when it cannot be published either."""
        owner = self._owner
        for part in owner.parts():
            files = owner.files if part.number == MAIN else owner.log_files
            if files is None:
                continue
            try:
                files.announce(part.status(), lasts=part.want != WANT_UP)
            except RefusedError:
                pass

    def all_changed(self) -> None:
        """Write what can be written now, soon what is about to have a process, and let all be held."""
        for part in self._owner.parts():
            self.changed(part.number)
        _vouches, waits = self._write_changed(late=False, left=True)
        if waits:
            self._owner.tree.publishing.changed(self._owner)
        self._owner.tree.holders.hold(self._owner)

    def flush(self, *, late: bool = False) -> bool:
        """Write the status of what changed; what cannot be written is tried again later.

        A run that has been asked for is about to have a process: until then nothing is written of it, unless it is `late`. True when
        that is so.
        """
        owner = self._owner
        if owner.closed or not self._dirty:
            return False
        vouches, waits = self._write_changed(late=late)
        if vouches:
            owner.tree.holders.hold(owner, (wire.OK, wire.LOG_OK))
        return waits

    def _write_changed(self, *, late: bool, left: bool = False) -> tuple[bool, bool]:
        """Write what changed; whether a status counts from now on that did not, and whether something waits for a process.

        left: whether what the supervisor before has left may be true.
        """
        owner = self._owner
        failed = waits = 0
        vouches = False
        for number in (MAIN, LOG):
            files = owner.files if number == MAIN else owner.log_files
            if files is None or not self._dirty >> number & 1:
                continue
            part = owner.service.part(number)
            if part.spawning and part.state == RUN and not late:
                waits |= 1 << number
                continue
            refusal, opened = self._write(number, files, part, left=left)
            vouches |= opened
            if refusal and not owner.leaving:
                self._refuse(refusal)
                failed |= 1 << number
        self._dirty = failed | waits
        if failed and not self._retries:
            self._retries = True
            owner.tree.loop.after(_RETRY_SECONDS, self._again)
        elif not failed and not waits:
            self._refused = ()
        return vouches, bool(waits)

    def _write(self, number: int, files: Supervise, part: Part, *, left: bool) -> tuple[str, bool]:
        """Write all that can be; give what is to be said of the rest, and whether the status counts from now on."""
        refusal, opened = "", False
        try:
            self._publish_detail(number, files)
        except RefusedError as error:
            refusal = str(error)
        try:
            files.publish(part.status(), left=left)
        except RefusedError as error:
            refusal = refusal or str(error)
        try:
            # Also where no status could be written: somebody is there, and `sv` then says what is missing.
            opened = files.open_ok()
        except RefusedError as error:
            refusal = refusal or str(error)
        return refusal, opened

    def _again(self) -> None:
        self._retries = False
        self.flush()

    def _refuse(self, reason: str) -> None:
        """Say why a status cannot be written: once until it can, and not every five seconds for as long as a disk is full."""
        if reason not in self._refused:
            self._refused += (reason,)
            self._owner.warn(reason)

    def _publish_detail(self, number: int, files: Supervise) -> None:
        """Before the status, which is what makes it count."""
        text = detail.pack(self._told() if number == MAIN else self._told_of_log())
        if text == self._details[number]:
            return
        self._details[number] = None
        if text:
            files.replace("detail", text, instead=detail.brief(text))
        else:
            files.remove("detail")
        self._details[number] = text

    def _told_of_log(self) -> detail.Detail:
        service = self._owner.service
        log, beyond = service.part(LOG), service.beyond
        return detail.Detail(
            pid=log.pid,
            deaths=beyond.log_deaths if _rests(log) and beyond.log_deaths > 1 else 0,
            dying_since=beyond.log_dying_since,
            ended=detail.ending(log.ended),
        )

    def _told(self) -> detail.Detail:
        service = self._owner.service
        main, beyond = service.main, service.beyond
        pid, kill_at = self.kill_at
        dies = beyond.deaths > 1 and main.state == DOWN
        rests = dies and _rests(main)
        return detail.Detail(
            pid=main.pid,
            notifies=beyond.notifies,
            ready=beyond.ready,
            kill_at=kill_at if pid and pid == main.pid and beyond.ending_since else 0,
            starts_at=main.since + beyond.rest if rests and beyond.rest > SECOND else 0,
            deaths=beyond.deaths if rests or (dies and main.want == WANT_DOWN) else 0,
            dying_since=beyond.dying_since,
            ended=detail.ending(main.ended),
            log_waits=beyond.log_waits,
            log_reason=beyond.log_reason,
        )


def _rests(part: Part) -> bool:
    """Whether it is started again after a pause."""
    return part.state == DOWN and part.damped and part.want == WANT_UP
