"""One log directory: its lock, its `current` and its old files; svlogd(8).

What takes time is a generator (see steps.py). Nothing is ever given up. Where the directory is, and whether it is held, is folder.py's,
and what its config says config.py's.
"""

from __future__ import annotations

import errno
import posix
import time

from ...core import svlogd_rotation
from ...core.svlogd_selection import Selection
from ...core.svlogd_stamp import is_old, old_name
from ...wire import errors
from . import config
from .folder import APPEND, Folder
from .processor import Processor
from .steps import Pause
from .sync import Sync
from .udp import send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol, TypeVar

    from ...core.svlogd_lines import Batch
    from .place import Place
    from .processor import Left
    from .steps import Steps
    from .sync import Crew

    T = TypeVar("T")

    class Witness(Protocol):
        """Who writes down what a rotation does, so that it is known after a crash."""

        def renaming(self, name: str) -> None:
            """`current`, which holds everything up to `written`, will be `name`."""

        def renamed(self) -> None:
            """`current` is new."""

        def processing(self) -> None:
            """Another processor runs, or none any more."""


FULL = (errno.ENOSPC, errno.EDQUOT)


class Log:
    """A log directory, open or closed.

    say: takes what svlogd prints to stderr, without its name; verbose: -v; crew: who makes its files safe, or a thread of its own.
    An open one has the lock of its folder, and the descriptor too unless that was released.
    """

    __slots__ = (
        "_has_leftovers",
        "_longest",
        "_sync",
        "config",
        "crew",
        "current",
        "due",
        "folder",
        "limit",
        "name",
        "processor",
        "say",
        "selection",
        "size",
        "verbose",
        "witness",
        "written",
    )

    def __init__(self, place: Place, *, limit: int, verbose: bool, say: Callable[[bytes], None]) -> None:
        self.folder = Folder(place)
        self.name = place.name
        self.limit = limit
        self.verbose = verbose
        self.say = say
        self.current = -1
        self.size = 0
        self.config = config.DEFAULT
        self.selection = Selection(self.config)
        self.processor = Processor(self)
        self.due = 0.0
        self.witness: Witness | None = None
        self.written = 0
        self._has_leftovers = True
        self._longest = 0  # that a file may be, once that is known
        self.crew: Crew | None = None
        self._sync: Sync | None = None

    @property
    def is_open(self) -> bool:
        """Whether lines can be written."""
        return self.folder.lock >= 0

    @property
    def directory(self) -> int:
        """The descriptor of its directory; -1 for none."""
        return self.folder.descriptor

    def warn(self, what: bytes, error: OSError | None = None, *, name: bytes | None = None) -> None:
        """Print a warning about this log."""
        reason = b": " + errors.text(error.errno or 0) if error else b""
        self.say(b"warning: " + what + b": " + (self.name if name is None else name) + reason)

    def inform(self, what: bytes) -> None:
        """Print what -v asks for."""
        if self.verbose:
            self.say(b"info: " + what)

    def insist(self, what: bytes, call: Callable[..., T], *arguments: object, **keywords: object) -> Steps[T]:
        """Call until it succeeds."""
        while True:
            try:
                return call(*arguments, **keywords)
            except OSError as error:
                yield self._pause(what, error)

    def insist_on_file(self, what: bytes, call: Callable[..., object], *arguments: object, **keywords: object) -> Steps[bool]:
        """Call until it succeeds; False, after a warning, when somebody has removed the file."""

        def found() -> bool:
            try:
                call(*arguments, **keywords)
            except FileNotFoundError as error:
                self.warn(b"unable to " + what, error)
                return False
            return True

        return (yield from self.insist(what, found))

    def _pause(self, what: bytes, error: OSError) -> Pause:
        number = error.errno or 0
        return Pause(b"pausing: unable to " + what + b": " + self.name + b": " + errors.text(number), number)

    # ---- open and close

    def open(self, *, resumed: bool = False, left: Left | None = None) -> Steps[bool]:
        """Open the log; a warning and False when it is of no use.

        resumed: whether `current` is known to be whole although nobody closed it; otherwise such a file is set aside as
        `.u`, since a crash may have cut it; left: the processor that who logged here before had started, and may run still.
        """
        if not (yield from self.insist(b"open log directory", self._open_directory)):
            return False
        try:
            status = self.folder.stat("current")
        except FileNotFoundError:
            status = None
        except OSError as error:
            self.close_now()
            self.warn(b"unable to stat current", error)
            return False
        yield from self.insist(b"read config", self._read_config)
        self._has_leftovers = True
        self.size = status.st_size if status else 0
        if self.size and status and not status.st_mode & 0o100 and not resumed:
            yield from self.insist(b"rename current", self.folder.rename, "current", self._fresh_name("u"))
            if oldest := self._surplus():
                self._unlink(oldest, b"unable to unlink oldest logfile")
            status = None
            self.size = 0
        if left is not None:
            yield from self.insist(b"watch processor", self.processor.go_on, left)
        if resumed and not self.config.processor:
            yield from self._finish_unsafe()
        yield from self._open_current()
        self.inform((b"append: " if status else b"new: ") + self.name + b"/current")
        if self.config.processor:
            self.processor.recover()
            yield from self.processor.start_next()
        return True

    def _finish_unsafe(self) -> Steps[None]:
        """Rotated files that a process that died was making safe; the system did not, so they are whole."""
        try:
            names = [name for name in self.names() if name[26] == "u" and name != self.processor.input]
        except OSError as error:
            self.warn(b"unable to read directory", error)
            return
        for name in sorted(names):
            yield from self._safe()
            descriptor = yield from self.insist(b"open", self._open_unsafe, name)
            if descriptor >= 0:
                self._make_safe(descriptor, name)

    def _open_unsafe(self, name: str) -> int:
        """Open a file to make it safe; -1 when it was removed. Raises OSError."""
        try:
            return self.folder.open_file(name, posix.O_WRONLY | posix.O_NONBLOCK | posix.O_CLOEXEC)
        except FileNotFoundError:
            return -1

    def close(self, *, once: bool = False) -> Steps[None]:
        """Close the log so that the next one who opens it knows that it is whole. A processor goes on.

        once: do not insist on that where the disk refuses it.
        """
        if not self.is_open:
            return
        self.inform(b"close: " + self.name)
        if self.directory >= 0 or not self.folder.is_gone():
            yield from self._need_current()
            yield from self._safe()
            last, self.current = self.current, -1
            yield from self._syncing().finish_last(last, self.name, once=once)
        self.close_now()

    def release_current(self) -> None:
        """Let go of the descriptor of `current`, which is opened again when it is needed."""
        if self.current >= 0:
            posix.close(self.current)
            self.current = -1

    def release(self) -> bool:
        """Let go of the directory too, which is found again by where its lock is.

        False, with nothing changed, while somebody works in it, or when it would not be found.
        """
        if self.processor.pid or self.processor.backlog or (self._sync is not None and self._sync.is_busy):
            return False
        if not self.folder.can_be_found():
            return False
        self.release_current()
        self.folder.release()
        return True

    def close_now(self) -> None:
        """Let go of every descriptor, and leave the files as they are.

        While one is made safe, the lock and the directory are let go of only after that, as by C's svlogd that is killed in it.
        """
        self.release_current()
        held = self.folder.leave()
        sync, self._sync = self._sync, None
        if sync is not None:
            sync.end(*held)
            return
        for descriptor in held:
            posix.close(descriptor)

    def _open_directory(self) -> bool:
        """Have directory and lock; False, after a warning, when that cannot be. OSError when there is no room for their descriptors."""
        folder = self.folder
        for what, step in ((b"open log", folder.open), (b"change", folder.see), (b"lock", folder.take_lock)):
            try:
                step()
            except OSError as error:
                self.close_now()
                if error.errno in errors.NO_DESCRIPTOR:
                    raise
                self.warn(b"unable to " + what + b" directory", error)
                return False
        return True

    def reread_processor(self) -> None:
        """While a processor is waited for, HUP changes nothing but what is started next time."""
        if self.directory < 0:
            return
        try:
            found, _ = config.read(self)
        except OSError as error:
            self.warn(b"unable to read config", error)
        else:
            self.config = self.config.processed_by(found.processor)

    def _read_config(self) -> None:
        self.config, problems = config.read(self)
        for problem in problems:
            if problem.warning:
                self.say(b"warning: " + problem.warning)
        selected = self.selection.long_is_selected
        self.selection = Selection(self.config)
        self.selection.resume(long_is_selected=selected)
        self.due = time.monotonic() + self.config.age if self.config.age else 0.0

    def _open_current(self) -> Steps[None]:
        self.current = yield from self.insist(b"open current", self.folder.open_file, "current", APPEND)
        yield from self.insist(b"set mode of current", posix.fchmod, self.current, 0o644)

    def _need_current(self) -> Steps[None]:
        if self.directory < 0:
            yield from self.insist(b"open log directory", self.folder.find)
        if self.current < 0:
            self.current = yield from self.insist(b"open current", self.folder.open_file, "current", APPEND)

    @property
    def refusal(self) -> int:
        """The errno with which the disk refuses to have the last file made safe; 0: it does not."""
        return self._sync.refusal if self._sync is not None else 0

    def _syncing(self) -> Sync:
        """Give what makes files safe; from the first one on, since a pool has thousands of logs that do not rotate for days."""
        if self._sync is None:
            self._sync = Sync(self.say, self.crew)
        return self._sync

    # ---- write

    def write(self, text: bytes | memoryview, start: int = 0) -> Steps[None]:
        """Append `text` from `start` on, rotating where it is due; `written` tells how far it has come."""
        view = memoryview(text)
        self.written = start
        if self.current < 0:
            yield from self._need_current()
        while start < len(text):
            maximum = self._maximum()
            if maximum and self.size >= maximum:
                yield from self.rotate()
            end, full = svlogd_rotation.piece(text, start, size=self.size, maximum=maximum, limit=self.limit)
            while start < end:
                try:
                    written = posix.write(self.current, view[start:end])
                except OSError as error:
                    if error.errno == errno.EFBIG and self.size:
                        self._longest = self.size
                        break
                    if error.errno not in FULL or not (yield from self.make_room()):
                        yield self._pause(b"write to current", error)
                    continue
                start += written
                self.size += written
                self.written = start
            if full and start == end:
                yield from self.rotate()

    def _maximum(self) -> int:
        """Give how long `current` may be: as its config has it, or a limit of this process or filesystem, once it was met; 0: any."""
        return min(filter(None, (self.config.size, self._longest)), default=0)

    def append(self, text: bytes) -> bool:
        """Append `text` at once, if that is far from a rotation. False: `write` has to, what is not written by what `size` tells."""
        maximum = self._maximum()
        if self.current < 0 or (maximum and self.size + len(text) >= maximum - self.limit):
            return False
        try:
            written = posix.write(self.current, text)
        except OSError:
            return False
        self.size += written
        return written == len(text)

    def pass_due(self) -> None:
        """Let the times be over at which `current` would have been rotated, had there been anything in it."""
        missed = time.monotonic() - self.due
        if missed >= 0:
            self.due += (missed // self.config.age + 1) * self.config.age

    def rotate(self) -> Steps[None]:
        """Set `current` aside, when it has anything, and begin a new one."""
        if not self.is_open:
            return
        if self.config.age:
            now = time.monotonic()
            if self.due <= now:
                self.due = now + self.config.age
        if self.size == 0:
            return
        yield from self.processor.finish()
        yield from self._safe()
        yield from self._need_current()
        name = self._fresh_name("u" if self.config.processor else "s")
        unsafe = name[:26] + "u"
        if self.witness is not None:
            self.witness.renaming(unsafe)
        self.inform(b"rename: %s/current %s %d" % (self.name, name.encode(), self.size))
        is_there = yield from self.insist_on_file(b"rename current", self.folder.rename, "current", unsafe)
        self.size = 0
        if is_there:
            full, self.current = self.current, -1
            self._make_safe(full, unsafe, self._surplus(name))
        self.release_current()
        yield from self._open_current()
        if self.witness is not None:
            self.witness.renamed()
        if self.config.processor and is_there:
            self.processor.backlog += (name,)
            yield from self.processor.start_next()

    def _safe(self) -> Steps[None]:
        """Wait until the file before is safe."""
        if self._sync is not None:
            yield from self._sync.idle()

    def _make_safe(self, descriptor: int, name: str, surplus: str | None = None) -> None:
        """fsync, mode 0744, and the name that says so, which a processor's input gets from the processor; then `surplus` is removed.

        To be called when the file before is safe. The directory is let go of only after all that.
        """
        directory = self.directory
        then: list[tuple[bytes, Callable[[], object]]] = []
        if not self.config.processor:
            safe = name[:26] + "s"
            then.append((b"rename current", lambda: posix.rename(name, safe, src_dir_fd=directory, dst_dir_fd=directory)))
        if surplus is not None:
            # A filesystem takes milliseconds to free a large one.
            failure = b"unable to unlink oldest logfile"
            then.append((failure, lambda: self._unlink(surplus, failure, directory)))
        self._syncing().finish(descriptor, self.name, then)

    @property
    def limits_lines(self) -> bool:
        """Whether it matters which lines are longer than the limit."""
        return not self.selection.keeps_all

    def text_of(self, batch: Batch) -> bytes:
        """Give what of `batch` is to be written, having sent what is to be sent by UDP."""
        if self.config.udp is None:
            # Asked in any case: a config that is read in the middle of a long line goes on with what became of its head.
            written = self.selection.written(batch)
            return b"" if self.config.udp_only else written
        text = []
        for message, line in self.selection.messages(batch):
            if message and not send(message, self.config.udp):
                text.append(b"warning: failure sending through udp: " + message)
            if not self.config.udp_only:
                text.append(line)
        return b"".join(text)

    # ---- files

    def _fresh_name(self, suffix: str) -> str:
        """Give a name that is in nobody's way; the clock is fine enough that a second look is hardly ever needed."""
        while True:
            name = old_name(time.time_ns(), suffix)
            try:
                posix.stat(name, dir_fd=self.directory, follow_symlinks=False)
            except FileNotFoundError:
                return name
            except OSError as error:
                self.warn(b"unable to stat", error, name=self.name + b"/" + name.encode())
                return name

    def names(self) -> list[str]:
        """Give the names of the old files, and of nothing else."""
        names = [name for name in posix.listdir(self.directory) if is_old(name)]
        self._has_leftovers = any(name[26] == "t" for name in names)
        return names

    def _surplus(self, newest: str | None = None) -> str | None:
        """Give the oldest file if there are too many; `newest` is about to be there under this name.

        What processors left behind is removed, at once, since the next one may write to such a file. Nobody looks when there is
        neither that nor a number of files to keep: where all are kept, there may be any number.
        """
        if not (self.config.keep or self._has_leftovers):
            return None
        try:
            names = self.names()
        except OSError as error:
            self.warn(b"unable to read directory", error)
            return None
        busy = self.processor.output
        for name in names:
            if name[26] == "t" and name != busy:
                self._unlink(name, b"unable to unlink processor leftover")
        if newest is not None and newest not in names:
            names.append(newest)
        oldest = svlogd_rotation.oldest(names, more_than=self.config.keep) if self.config.keep else None
        if oldest:
            self.inform(b"delete: " + self.name + b"/" + oldest.encode())
        return oldest

    def has_room(self) -> bool:
        """Whether there is any room on its disk for whom we are."""
        try:
            found = posix.fstatvfs(self.directory)
        except OSError:
            return True  # nobody can tell, and nothing is to be removed for that
        # One that counts no blocks is never full.
        return not found.f_blocks or (found.f_bavail if posix.geteuid() else found.f_bfree) > 0

    def make_room(self) -> Steps[bool]:
        """The disk is full: remove the oldest file beyond the least number, and tell whether there may be room now.

        What waits for the processor, and what that writes, is neither removed nor counted, as where there are too many.
        """
        if self.config.keep_min >= self.config.keep:
            return False
        is_awaited = self._sync is not None and self._sync.is_busy
        try:
            oldest = svlogd_rotation.oldest(self.names(), more_than=self.config.keep_min)
        except OSError as error:
            self.warn(b"unable to read directory, want remove old logfile", error)
            return False
        if oldest is None:
            # What is being made safe is an old file only when it is, and one that is too many by then goes.
            yield from self._safe()
            return is_awaited
        self.say(b"warning: out of disk space, delete: " + self.name + b"/" + oldest.encode())
        return self._unlink(oldest, b"unable to unlink oldest logfile")

    def _unlink(self, name: str, failure: bytes, directory: int | None = None) -> bool:
        try:
            posix.unlink(name, dir_fd=self.directory if directory is None else directory)
        except OSError as error:
            self.warn(failure, error, name=name.encode())
            return False
        return True
