"""chpst's hands: the calling process changed as a Request says, and replaced by the program; chpst(8).

The order is C's, and matters: the environment's directory is read and the root left by whoever called, an account is looked up in
the new root, and lock and limits belong to the account.
"""

from __future__ import annotations

import posix
from _signal import SIG_DFL, SIGPIPE, SIGXFSZ, signal

from ...core import chpst
from .. import environment
from ..console import explain, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...core.chpst import Request

ENOENT, EPERM, EACCES, EISDIR = 2, 1, 13, 21


class Fatal(Exception):  # noqa: N818
    """The process state cannot be had: what is said, exit status 111."""

    def __init__(self, message: bytes, error: OSError | None = None) -> None:
        super().__init__(message)
        self.text = b"chpst: fatal: %s%s\n" % (message, explain(error.errno) if error else b"")


def run(request: Request) -> None:
    """Change this process and become the program; raises Fatal, or comes back where the request is to be silent."""
    _prepare(request)
    original = environment.inherited()
    variables = dict(original)
    if request.session:
        _leave_session()
    if request.environment is not None:
        _read_environment(request, request.environment, variables)
    _move(request)
    if request.identity_variables is not None:
        uid, gids = _ids(request, request.identity_variables)
        variables[b"GID"] = b"%d" % gids[0]
        variables[b"UID"] = b"%d" % uid
    if request.identity is not None:
        _become(*_ids(request, request.identity))
    if request.lock is not None and not _lock(request, request.lock):
        return
    for descriptor in sorted(request.closed):
        _close(descriptor)
    # Python ignores both, and what is ignored stays so in the program.
    signal(SIGPIPE, SIG_DFL)
    signal(SIGXFSZ, SIG_DFL)
    if request.limits:
        _limit(request.limits)
    _execute(request, variables, original.get(b"PATH", b"/bin:/usr/bin"))


def _prepare(request: Request) -> None:
    """Import what will be needed, while it can be: soon there may be another root, another user, or no descriptor left."""
    if request.identity is not None or request.identity_variables is not None:
        import grp  # noqa: F401
        import pwd  # noqa: F401
    if request.lock is not None:
        import fcntl  # noqa: F401
    if request.limits:
        import resource  # noqa: F401
    if request.root is not None or request.identity is not None or request.limits:
        from ...wire import errors  # noqa: F401


def _leave_session() -> None:
    try:
        posix.setsid()
    except PermissionError:  # leads a group already: then the session stays, as in C
        pass


def _read_environment(request: Request, folder: bytes, variables: dict[bytes, bytes]) -> None:
    try:
        posix.stat(folder and folder + b"/.")
    except OSError as error:
        raise Fatal(b"unable to switch to directory: " + folder, error) from None
    try:
        names = posix.listdir(folder)
    except OSError as error:
        raise Fatal(b"unable to open directory: " + folder, error) from None
    for name in names:
        if name[:1] == b".":
            continue
        path = folder + b"/" + name
        try:
            content = _read(path)
        except FileNotFoundError:
            continue
        except IsADirectoryError as error:
            if not request.skips_folders:
                raise Fatal(b"unable to read " + path, error) from None
            if request.verbose:
                write(2, b"chpst: warning: unable to read %s%s\n" % (path, explain(error.errno)))
            continue
        except OSError as error:
            raise Fatal(b"unable to read " + path, error) from None
        key, value = chpst.variable(name, content)
        _change(variables, key, value)


def _change(variables: dict[bytes, bytes], key: bytes, value: bytes | None) -> None:
    """Set a variable, or take it away where `value` is None."""
    if key.startswith(b"="):
        # Whatever stands before the first `=` is the name for C: such variables have the same, none, and replace each other.
        for other in [other for other in variables if other.startswith(b"=")]:
            del variables[other]
    if value is None:
        variables.pop(key, None)
    else:
        variables[key] = value


def _read(path: bytes) -> bytes:
    descriptor = posix.open(path, posix.O_RDONLY | posix.O_NONBLOCK | posix.O_CLOEXEC)
    try:
        content = b""
        while chunk := posix.read(descriptor, 65536):
            content += chunk
        return content
    finally:
        posix.close(descriptor)


def _move(request: Request) -> None:
    """Change root, working directory and nice level."""
    if request.root is not None:
        try:
            posix.chdir(request.root)
        except OSError as error:
            raise Fatal(b"unable to change directory: " + request.root, error) from None
        try:
            posix.chroot(b".")
        except OSError as error:
            raise Fatal(b"unable to change root directory", error) from None
    if request.directory is not None:
        try:
            posix.chdir(request.directory)
        except OSError as error:
            raise Fatal(b"unable to change directory: " + request.directory, error) from None
    if request.nice:
        try:
            posix.nice(max(-(2**31), min(request.nice, 2**31 - 1)))
        except OSError as error:
            raise Fatal(b"unable to set nice level", error) from None


def _ids(request: Request, text: bytes) -> tuple[int, list[int]]:
    """Give uid and gids of what -u and -U take; raises Fatal."""
    if text[:1] == b":" and not request.accounts_only:
        ids = chpst.numeric_ids(text[1:])
        if ids is None:
            raise Fatal(b"invalid uid/gids: " + text[1:])
        return ids
    import pwd

    user, colon, groups = (text, b"", b"") if request.accounts_only else text.partition(b":")
    try:
        account = pwd.getpwnam(_decode(user))
        if not colon:
            return account.pw_uid, [account.pw_gid]
        import grp

        return account.pw_uid, [grp.getgrnam(_decode(group)).gr_gid for group in groups.split(b":")]
    except (KeyError, OSError) as error:
        problem = error if isinstance(error, OSError) else _unreadable_accounts()
        if problem:
            raise Fatal(b"unable to get password%s file entry" % (b"" if request.accounts_only else b"/group"), problem) from None
        what = b"unknown account: " if request.accounts_only else b"unknown user/group: "
        raise Fatal(what + text) from None


def _unreadable_accounts() -> OSError | None:
    """Give why no account could be found: in a new root without /etc/passwd nobody is known."""
    try:
        for path in (b"/etc/passwd", b"/etc/group"):
            posix.close(posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC))
    except OSError as error:
        return error
    return None


def _decode(name: bytes) -> str:
    import sys

    return name.decode(sys.getfilesystemencoding(), "surrogateescape")


def _become(uid: int, gids: list[int]) -> None:
    operation = b"setgroups"
    try:
        posix.setgroups(gids)
        operation = b"setgid"
        posix.setgid(gids[0])
        operation = b"setuid"
        posix.setuid(uid)
    except OSError as error:
        raise Fatal(b"unable to " + operation, error) from None


def _lock(request: Request, path: bytes) -> bool:
    """Hold an exclusive lock for as long as the program does; False when it cannot be had and the request is to be silent."""
    import fcntl

    operation = b"open lock"
    try:
        descriptor = posix.open(path, posix.O_WRONLY | posix.O_NONBLOCK | posix.O_APPEND | posix.O_CREAT, 0o600)
        operation = b"lock"
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if request.lock_waits else fcntl.LOCK_NB))
    except OSError as error:
        if request.silent:
            return False
        raise Fatal(b"unable to %s: %s" % (operation, path), error) from None
    posix.set_inheritable(descriptor, True)
    return True


def _close(descriptor: int) -> None:
    try:
        posix.close(descriptor)
    except OSError as error:
        raise Fatal(b"unable to close " + (b"stdin", b"stdout", b"stderr")[descriptor], error) from None


def _limit(limits: dict[str, int]) -> None:
    import resource

    for name in chpst.LIMITS:
        if limits.get(name, -2) < chpst.UNLIMITED:
            continue
        number = getattr(resource, f"RLIMIT_{name}")
        try:
            _, hard = resource.getrlimit(number)
        except OSError as error:
            raise Fatal(b"unable to getrlimit()", error) from None
        value = limits[name]
        if value < 0 or (hard != resource.RLIM_INFINITY and value > hard):
            value = hard
        try:
            resource.setrlimit(number, (value, hard))
        except OSError as error:
            raise Fatal(b"unable to setrlimit()", error) from None


def _execute(request: Request, variables: dict[bytes, bytes], path: bytes) -> None:
    """Become the program, looked for in the caller's $PATH whatever the program's own will be."""
    program = request.command[0]
    if request.argv0 is not None:
        if not request.argv0:
            raise Fatal(b"unable to run: " + program + b": its 0th argument must not be empty")
        request.command[0] = request.argv0
    arguments = [request.command[0] or b"-", *request.command[1:]]  # without a name nothing can run, but python wants one
    failure: OSError | None = None
    for folder in [b""] if b"/" in program else path.split(b":"):
        candidate = program if b"/" in program else (folder or b".") + b"/" + program
        try:
            posix.execve(candidate, arguments, variables)
        except OSError as error:
            if failure is None or error.errno != ENOENT:
                failure = error
            if error.errno not in (ENOENT, EACCES, EPERM, EISDIR):
                break
    if not request.silent:
        raise Fatal(b"unable to run: " + request.command[0], failure)
