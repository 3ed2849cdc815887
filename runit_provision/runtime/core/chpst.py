"""What the words of chpst(8) ask for, and those of daemontools' programs that chpst stands in for.

The name that chpst was called by chooses the grammar: setuidgid, envuidgid, envdir, pgrphack, setlock, softlimit, each also with
a `d` before it; any other name is chpst. All of them give a Request, and what a Request asks for is done in one order.
"""

from __future__ import annotations

from .. import NAME_AND_VERSION
from .options import OptionError, Options, leading_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LIMITS = {
    "DATA": b"d",
    "STACK": b"s",
    "MEMLOCK": b"l",
    "AS": b"a",
    "NOFILE": b"o",
    "NPROC": b"p",
    "FSIZE": b"f",
    "CORE": b"c",
    "RSS": b"r",
    "CPU": b"t",
}
"""getrlimit(2)'s names and softlimit's letters, in the order in which they are set."""
UNLIMITED = -1
"""As much as the hard limit allows."""
_MEMORY = ("DATA", "STACK", "MEMLOCK", "AS")
_RESOURCES = {letter: name for name, letter in LIMITS.items()}


class UsageError(Exception):
    """Wrong words; `text` is all that is to be said, exit status 100."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


class Request:
    """What is to be changed before the program runs; nothing, unless set. In the order in which it is done:

    session: call setsid(2); environment: a directory whose files are variables; root, directory: where to change to; nice: to add;
    identity_variables, identity: `user`, `user:group:...` or `:uid:gid:...` for $UID and $GID, and to become; lock: a file,
    lock_waits: for whoever holds it; closed: descriptors; limits: soft limits by getrlimit(2)'s names, UNLIMITED for the hard one.
    accounts_only: an identity is a user's name, with that user's group; skips_folders: those in `environment` are no error;
    verbose: say what was skipped; silent: exit 0, without a word, where lock or program fail.
    command: the program and its arguments; argv0: what it is told to be called.
    """

    __slots__ = (
        "accounts_only",
        "argv0",
        "closed",
        "command",
        "directory",
        "environment",
        "identity",
        "identity_variables",
        "limits",
        "lock",
        "lock_waits",
        "nice",
        "root",
        "session",
        "silent",
        "skips_folders",
        "verbose",
    )

    def __init__(self) -> None:
        self.session = False
        self.environment: bytes | None = None
        self.root: bytes | None = None
        self.directory: bytes | None = None
        self.nice = 0
        self.identity_variables: bytes | None = None
        self.identity: bytes | None = None
        self.lock: bytes | None = None
        self.lock_waits = False
        self.closed: set[int] = set()
        self.limits: dict[str, int] = {}
        self.accounts_only = False
        self.skips_folders = False
        self.verbose = False
        self.silent = False
        self.command: list[bytes] = []
        self.argv0: bytes | None = None


def parse(argv: list[bytes]) -> Request:
    """Read the words of chpst, or of the program whose name it was called by; raises UsageError."""
    base = argv[0].rpartition(b"/")[2]
    name = base[1:] if base[:1] == b"d" else base
    return _GRAMMARS.get(name, _chpst)(argv, name)


_USAGE = (
    b"[-vVP012] [-u user[:group]] [-U user[:group]] [-b argv0] [-e dir] [-/ root] [-C pwd] [-n nice] [-l|-L lock] "
    b"[-m n] [-d n] [-o n] [-p n] [-f n] [-c n] [-t n] prog"
)


def _usage(name: bytes, text: bytes = _USAGE) -> UsageError:
    return UsageError(b"usage: %s %s\n\n" % (name, text))


def _options(argv: list[bytes], letters: bytes, handle: Callable[[bytes, bytes], None], usage: UsageError) -> list[bytes]:
    """Hand each option to `handle`, give the other words; what a wrong option needs said comes before `usage`."""
    options = Options(argv, letters)
    try:
        for letter, value in options:
            handle(letter, value)
    except OptionError as error:
        base = argv[0].rpartition(b"/")[2]
        raise UsageError(b"%s: %s\n%s" % (base, error.text, usage.text)) from None
    return options.rest


def _signed(number: int) -> int:
    """Give what a C long makes of an unsigned one: 2**64 - 1 is -1, no limit."""
    return number - 2**64 if number >= 2**63 else number


_WORDS = {
    b"u": "identity",
    b"U": "identity_variables",
    b"b": "argv0",
    b"e": "environment",
    b"/": "root",
    b"C": "directory",
}


def _chpst(argv: list[bytes], name: bytes) -> Request:
    request = Request()
    request.skips_folders = True
    usage = _usage(name)

    def number(text: bytes) -> int:
        value, rest = leading_number(text)
        if rest:
            raise usage
        return _signed(value)

    def handle(letter: bytes, value: bytes) -> None:
        if letter in _WORDS:
            setattr(request, _WORDS[letter], value)
            return
        match letter:
            case b"n":
                sign = -1 if value[:1] == b"-" else 1
                request.nice = sign * number(value[1:] if value[:1] in (b"-", b"+") else value)
            case b"m":
                request.limits.update(dict.fromkeys(_MEMORY, number(value)))
            case b"d" | b"o" | b"p" | b"f" | b"c" | b"r" | b"t":
                request.limits[_RESOURCES[letter]] = number(value)
            case b"l" | b"L":
                if request.lock is not None:
                    raise usage
                request.lock = value
                request.lock_waits = letter == b"l"
            case b"v":
                request.verbose = True
            case b"P":
                request.session = True
            case b"0" | b"1" | b"2":
                request.closed.add(int(letter))
            case _:
                raise UsageError(NAME_AND_VERSION + usage.text)

    request.command = _options(argv, b"u:U:b:e:m:d:o:p:f:c:r:t:/:C:n:l:L:vP012V", handle, usage)
    if not request.command:
        raise usage
    return request


def _one_word_and_child(argv: list[bytes], name: bytes, word: bytes) -> tuple[bytes, list[bytes]]:
    if len(argv) < 3:
        raise _usage(name, word + b" child")
    return argv[1], argv[2:]


def _setuidgid(argv: list[bytes], name: bytes) -> Request:
    request = Request()
    request.accounts_only = True
    request.identity, request.command = _one_word_and_child(argv, name, b"account")
    return request


def _envuidgid(argv: list[bytes], name: bytes) -> Request:
    request = Request()
    request.accounts_only = True
    request.identity_variables, request.command = _one_word_and_child(argv, name, b"account")
    return request


def _envdir(argv: list[bytes], name: bytes) -> Request:
    request = Request()
    request.environment, request.command = _one_word_and_child(argv, name, b"dir")
    return request


def _pgrphack(argv: list[bytes], name: bytes) -> Request:
    request = Request()
    request.session = True
    request.command = argv[1:]
    if not request.command:
        raise _usage(name, b"child")
    return request


def _setlock(argv: list[bytes], name: bytes) -> Request:
    """-n waits and -N, the default, does not: so it is in runit, and the other way round in daemontools."""
    request = Request()
    usage = _usage(name, b"[ -nNxX ] file program [ arg ... ]")

    def handle(letter: bytes, _: bytes) -> None:
        if letter in b"nN":
            request.lock_waits = letter == b"n"
        else:
            request.silent = letter == b"x"

    rest = _options(argv, b"nNxX", handle, usage)
    if len(rest) < 2:
        raise usage
    request.lock, request.command = rest[0], rest[1:]
    return request


_SOFTLIMIT = (
    b"[-a allbytes] [-c corebytes] [-d databytes] [-f filebytes] [-l lockbytes] [-m membytes] [-o openfiles] "
    b"[-p processes] [-r residentbytes] [-s stackbytes] [-t cpusecs] child"
)


def _softlimit(argv: list[bytes], name: bytes) -> Request:
    request = Request()
    usage = _usage(name, _SOFTLIMIT)

    def handle(letter: bytes, value: bytes) -> None:
        number, rest = leading_number(value)
        if value == b"=":
            number, rest = UNLIMITED, b""
        if rest:
            raise _usage(name)
        names = _MEMORY if letter == b"m" else (_RESOURCES[letter],)
        request.limits.update(dict.fromkeys(names, _signed(number)))

    request.command = _options(argv, b"a:c:d:f:l:m:o:p:r:s:t:", handle, usage)
    if not request.command:
        raise usage
    return request


_GRAMMARS = {
    b"setuidgid": _setuidgid,
    b"envuidgid": _envuidgid,
    b"envdir": _envdir,
    b"pgrphack": _pgrphack,
    b"setlock": _setlock,
    b"softlimit": _softlimit,
}


def numeric_ids(text: bytes) -> tuple[int, list[int]] | None:
    """Give uid and gids of `uid:gid[:gid...]`; None when it is anything else.

    An empty number, which C takes for 0, is anything else too, and so is one that no id can be: root by a typing error is too dear.
    """
    numbers = text.split(b":")
    if len(numbers) < 2 or not all(number.isdigit() and int(number) < 2**32 - 1 for number in numbers):
        return None
    uid, *gids = map(int, numbers)
    return uid, gids


def variable(name: bytes, content: bytes) -> tuple[bytes, bytes | None]:
    """Give the variable that a file `name` with `content` sets, or unsets when the file is empty; envdir's rules.

    The value is the first line without blanks at its end, nulls in it are newlines. The name ends at its first `=`
    that is not its first byte.
    """
    entry = name
    if content:
        entry += b"=" + content.partition(b"\n")[0].rstrip(b" \t").replace(b"\0", b"\n")
    equals = entry.find(b"=", 1)
    return (entry[:equals], entry[equals + 1 :]) if equals > 0 else (entry, None)
