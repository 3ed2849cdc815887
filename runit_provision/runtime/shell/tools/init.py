"""Process 1: the stages run, orphans reaped, signals heard, the host brought down; runit(8).

Nothing may end this process, or the kernel panics: what goes wrong is printed, and the next thing done. Signals are blocked and
waited for, since one that process 1 neither blocks nor handles is not even delivered to it.
"""

from __future__ import annotations

import fcntl
import posix
import time
from _signal import (
    SIG_DFL,
    SIG_SETMASK,
    SIGALRM,
    SIGCHLD,
    SIGCONT,
    SIGHUP,
    SIGINT,
    SIGKILL,
    SIGPIPE,
    SIGTERM,
    SIGXFSZ,
    pthread_sigmask,
    signal,
    sigtimedwait,
)

from ...core import init
from .. import environment
from ..console import explain, write

_CONSOLE = b"/dev/console"
_BLOCKED = (SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGPIPE, SIGTERM)
_HEARD = (SIGCHLD, SIGCONT, SIGINT)
_TIOCSCTTY = 0x540E
_POWER_OFF, _HALT, _AUTOBOOT, _CAD_OFF = 0x4321FEDC, 0xCDEF0123, 0x01234567, 0
"""reboot(2)'s commands."""
_SULOGIN = b"/sbin/sulogin"
_SHELL = b"/bin/sh"


def run() -> None:
    """Lead the host's life. Never comes back, except where this is process 1 of a container that may not reboot."""
    try:
        _lead()
    except Exception as problem:
        say(init.FATAL + repr(problem).encode(errors="replace"))
        while True:  # a host without anyone to lead it is better than a kernel panic
            time.sleep(init.CHECK_EVERY)
            _reap(0)


def _lead() -> None:
    posix.setsid()
    pthread_sigmask(SIG_SETMASK, _BLOCKED)
    _take_console((0, 1, 2))
    _reboot(_CAD_OFF)
    say(init.INFO + b"runit-provision: booting.")
    stage = init.FIRST
    while stage != init.OVER:
        stage = _live(stage)
    _take_console((2,))
    _bring_down()


def say(line: bytes) -> None:
    """Print a line on standard error, wherever that leads."""
    try:
        write(2, line + b"\n")
    except OSError:
        pass


def _take_console(descriptors: tuple[int, ...]) -> None:
    """Make the console what `descriptors` are; leave them as they are where there is none."""
    try:
        console = posix.open(_CONSOLE, posix.O_WRONLY | posix.O_NONBLOCK)
    except OSError:
        return
    for descriptor in descriptors:
        posix.dup2(console, descriptor)
    if console > 2:
        posix.close(console)


def _live(stage: int) -> int:
    """Run a stage to its end; give the one that follows."""
    pid = _start(init.STAGES[stage], has_console=stage == init.FIRST, is_first=stage == init.FIRST)
    while True:
        heard = _next_signal()
        code = _reap(pid)
        _take_console((2,))
        if code is not None:
            return _end(stage, pid, code)
        if heard not in (SIGCONT, SIGINT):
            continue
        if stage != init.SECOND:
            say(init.WARNING + b"signals only work in stage 2.")
            continue
        if heard == SIGINT and _is_executable((init.CTRL_ALT_DEL,)):
            _prepare_by_ctrl_alt_del()
            heard = SIGCONT
        if heard == SIGCONT and (allowed := _is_executable(init.STOP_FILES)):
            _forbid(allowed)
            _stop(pid)
            say(init.INFO + b"leave stage: " + init.STAGES[stage])
            return init.THIRD


def _forbid(path: bytes) -> None:
    """Let the next CONT mean nothing; on a file system that is read-only by now it goes on meaning this."""
    try:
        posix.chmod(path, 0)
    except OSError:
        pass


def _next_signal() -> int:
    info = sigtimedwait(_HEARD, init.CHECK_EVERY)
    return int(info.si_signo) if info else 0


def _reap(pid: int) -> int | None:
    """Collect every zombie; give the exit code of `pid` if it was among them, negative for a signal."""
    code = None
    while True:
        try:
            child, status = posix.waitpid(-1, posix.WNOHANG)
        except ChildProcessError:
            return code
        if child == 0:
            return code
        if child == pid:
            code = posix.waitstatus_to_exitcode(status)


def _end(stage: int, pid: int, code: int) -> int:
    ended = init.ended(stage, code)
    for line in ended.lines:
        say(line)
    if ended.kills:
        _kill(-pid, SIGKILL)
        time.sleep(init.RESTART_PAUSE)
    for line in ended.last_lines:
        say(line)
    return ended.next_stage


def _kill(pid: int, number: int) -> None:
    try:
        posix.kill(pid, number)
    except ProcessLookupError:
        pass


def _is_executable(paths: tuple[bytes, ...]) -> bytes:
    """Give the first of `paths` that its owner may execute; nothing when there is none."""
    for path in paths:
        try:
            if posix.stat(path).st_mode & 0o100:
                return path
        except OSError:
            continue
    return b""


def _fork(purpose: bytes) -> int:
    while True:
        try:
            return posix.fork()
        except OSError as error:
            say(init.FATAL + b'unable to fork for "' + purpose + b'" pausing' + explain(error.errno))
            time.sleep(5)


def _start(path: bytes, *, has_console: bool, is_first: bool) -> int:
    """Give the pid of a process that becomes the stage `path`, or an emergency shell where the first stage cannot be started."""
    pid = _fork(path)
    if pid:
        return pid
    try:
        if has_console:
            _own_console()
        else:
            posix.setsid()
        _default_signals()
        say(init.INFO + b"enter stage: " + path)
        variables = environment.inherited()
        try:
            posix.execve(path, [path], variables)
        except OSError as error:
            say(init.FATAL + b"unable to start child: " + path + explain(error.errno))
        if is_first:
            _become_emergency_shell(variables)
    finally:
        posix._exit(0)


def _own_console() -> None:
    """Give the first stage the whole console: its standard input too, and its Ctrl-C where the kernel lets it."""
    try:
        console = posix.open(_CONSOLE, posix.O_RDWR)
    except OSError as error:
        say(init.WARNING + b"unable to open /dev/console" + explain(error.errno))
        return
    try:
        fcntl.ioctl(console, _TIOCSCTTY, 0)
    except OSError:
        pass
    posix.dup2(console, 0)
    if console > 2:
        posix.close(console)


def _default_signals() -> None:
    """Undo what python and process 1 have set; a stage starts as any program does."""
    for number in (SIGPIPE, SIGXFSZ, SIGINT):
        signal(number, SIG_DFL)
    pthread_sigmask(SIG_SETMASK, ())


def _become_emergency_shell(variables: dict[bytes, bytes]) -> None:
    """A host whose first stage cannot start must not pass over it in silence, as C's runit does: let somebody in to mend it."""
    posix.setsid()
    _own_console()
    for program in ([_SULOGIN], [_SHELL, b"-i"]):
        say(init.WARNING + b"starting emergency shell: " + program[0])
        try:
            posix.execve(program[0], program, variables)
        except OSError as error:
            say(init.FATAL + b"unable to start child: " + program[0] + explain(error.errno))


def _prepare_by_ctrl_alt_del() -> None:
    path = init.CTRL_ALT_DEL
    say(init.INFO + b"ctrl-alt-del request...")
    pid = _fork(path)
    if pid == 0:
        try:
            _default_signals()
            say(init.INFO + b"enter stage: " + path)
            posix.execve(path, [path], environment.inherited())
        except OSError as error:
            say(init.FATAL + b"unable to start child: " + path + explain(error.errno))
        finally:
            posix._exit(0)
    _, status = posix.waitpid(pid, 0)
    if posix.WIFSIGNALED(status):
        say(init.WARNING + b"child crashed: " + path)
    say(init.INFO + b"leave stage: " + path)


def _stop(pid: int) -> None:
    """End stage 2: TERM, and KILL after a while; what else ends meanwhile is reaped."""
    _kill(pid, SIGTERM)
    end = time.monotonic() + init.STOP_PATIENCE
    while _reap(pid) is None:
        left = end - time.monotonic()
        if left <= 0:
            say(init.WARNING + b"stage 2 not terminated, sending sigkill...")
            _kill(pid, SIGKILL)
            posix.waitpid(pid, 0)
            return
        sigtimedwait((SIGCHLD,), left)


def _bring_down() -> None:
    say(init.INFO + b"sending KILL signal to all processes...")
    try:
        posix.kill(-1, SIGKILL)
    except ProcessLookupError:
        pass
    # A child asks for it, since the kernel may end the process that does.
    pid = posix.fork()
    if pid == 0:
        try:
            _ask_to_bring_down()
        finally:
            posix._exit(0)
    while True:
        try:
            child, status = posix.waitpid(-1, 0)
        except ChildProcessError:
            break
        if child == pid and posix.waitstatus_to_exitcode(status) == _MAY_NOT:
            return
    while True:
        time.sleep(init.CHECK_EVERY)


_MAY_NOT = 1


def _ask_to_bring_down() -> None:
    again = _is_executable(init.REBOOT_FILES)
    say(init.INFO + (b"system reboot." if again else b"power off..."))
    if not posix.access(init.NO_SYNC, posix.F_OK):
        posix.sync()
    if not _reboot(_AUTOBOOT if again else _POWER_OFF):
        posix._exit(_MAY_NOT)
    if not again:
        time.sleep(2)
        say(init.INFO + b"system halt.")
        _reboot(_HALT)


def _reboot(command: int) -> bool:
    """Call reboot(2), which python has no name for; False when this process may not."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    return libc.reboot(ctypes.c_int(command & 0xFFFFFFFF)) == 0 or ctypes.get_errno() != 1
