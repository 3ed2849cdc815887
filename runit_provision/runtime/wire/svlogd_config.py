"""The file `config` of a log directory; svlogd(8) "CONFIG", and what svlogd.c makes of it.

One directive a line, its letter first and its value right behind it:

    sSIZE   bytes after which `current` is rotated, with k or m for 1024 and 1024*1024; 0: never
    nNUM    old files to keep; 0: all          NMIN   old files to keep when the disk is full
    tAGE    seconds after which `current` is rotated, with m or h for minutes and hours; 0: never
    !COMMAND     processor of rotated files    pPREFIX   before each line
    uA.B.C.D[:PORT]   lines by UDP too         UA.B.C.D[:PORT]   lines by UDP only
    +PATTERN -PATTERN   select, deselect       ePATTERN EPATTERN   to stderr, not to stderr
    #...    a comment; and an empty line is nothing

svlogd takes what it can of any file and never refuses one. So does `parse`, which also says what is wrong with it.
"""

from __future__ import annotations

from . import patterns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SIZE = 1_000_000
"""Bytes; svlogd's own default, as are the next ones."""
KEEP = 10
UDP_PORT = 514

SELECT = ord("+")
DESELECT = ord("-")
ALERT = ord("e")
NO_ALERT = ord("E")
"""What an instruction does with the lines that match its pattern: its letter in the file."""

_ACTIONS = (b"+", b"-", b"e", b"E")
_LIMIT = 1 << 64
"""svlogd counts in unsigned long."""


class Value:
    """A value that equals another of the same type and contents."""

    __slots__: tuple[str, ...] = ()

    def _key(self) -> tuple[object, ...]:
        # Of a list: a tuple of what has no length is cut to it, and Python keeps up to 2,000 of those that nothing reuses.
        return tuple([getattr(self, name) for name in self.__slots__])

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, Value) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({values})"


class Instruction(Value):
    """`action` (SELECT, DESELECT, ALERT or NO_ALERT) for the lines that match `pattern`; the last one that matches decides."""

    __slots__ = ("action", "pattern")

    def __init__(self, action: int, pattern: bytes) -> None:
        self.action = action
        self.pattern = pattern


class Udp(Value):
    """Where lines are sent: `address`, dotted, and `port`."""

    __slots__ = ("address", "port")

    def __init__(self, address: str, port: int = UDP_PORT) -> None:
        self.address = address
        self.port = port


class Config(Value):
    """What a log directory's `config` says.

    size: bytes, 0 for never; keep, keep_min: numbers of old files (keep 0: all); age: seconds, 0 for never;
    processor: a command for sh, or nothing; prefix: before each line; udp: None, or where lines are sent;
    udp_only: whether they are not written; instructions: in the order of the file.
    """

    __slots__ = ("age", "instructions", "keep", "keep_min", "prefix", "processor", "size", "udp", "udp_only")

    def __init__(
        self,
        *,
        size: int = SIZE,
        keep: int = KEEP,
        keep_min: int = KEEP,
        age: int = 0,
        processor: bytes = b"",
        prefix: bytes = b"",
        udp: Udp | None = None,
        udp_only: bool = False,
        instructions: Iterable[Instruction] = (),
    ) -> None:
        self.size = size
        self.keep = keep
        self.keep_min = keep_min
        self.age = age
        self.processor = processor
        self.prefix = prefix
        self.udp = udp
        self.udp_only = udp_only
        self.instructions = tuple(instructions)

    def processed_by(self, processor: bytes) -> Config:
        """Give the same with another `processor`."""
        other = Config()
        for name in self.__slots__:
            setattr(other, name, getattr(self, name))
        other.processor = processor
        return other


class ConfigProblem(Value):
    """One thing that svlogd would not do as it was meant.

    line: counted from 1; message: what, in one line; hint: what to do about it; warning: what svlogd itself prints
    of it to stderr, or nothing when it keeps silent.
    """

    __slots__ = ("hint", "line", "message", "warning")

    def __init__(self, line: int, message: str, *, hint: str = "", warning: bytes = b"") -> None:
        self.line = line
        self.message = message
        self.hint = hint
        self.warning = warning


def parse(data: bytes) -> tuple[Config, tuple[ConfigProblem, ...]]:
    """Read a `config` as svlogd does; give what it takes from it, and what is wrong with it. Raises nothing."""
    reader = _Reader()
    lines = data.split(b"\n")
    # svlogd stops before a last line that is one byte long and has no newline.
    if len(lines[-1]) == 1:
        reader.line = len(lines)
        reader.complain(f"a last line of one letter ({_show(lines[-1])}) without a newline is not read", hint="end the line")
        lines.pop()
    for number, line in enumerate(lines, 1):
        reader.line = number
        reader.read(line)
    reader.finish()
    return reader.config, tuple(reader.problems)


def format(config: Config) -> bytes:  # noqa: A001 -- the counterpart of parse
    """Give a `config` that `parse` reads back as `config`: one directive for each value that is not svlogd's default.

    Raises ValueError when a value cannot be written: a newline or a NUL in a pattern, a prefix or a command; a negative number.
    """
    lines = []
    if config.size != SIZE:
        lines.append(b"s" + _scaled(config.size, ((b"m", 1 << 20), (b"k", 1 << 10))))
    if config.keep != KEEP:
        lines.append(b"n" + _scaled(config.keep, ()))
    if config.keep_min != KEEP:
        lines.append(b"N" + _scaled(config.keep_min, ()))
    if config.age:
        lines.append(b"t" + _scaled(config.age, ((b"h", 3600), (b"m", 60))))
    if config.processor:
        lines.append(b"!" + config.processor)
    if config.udp_only and config.udp is None:
        raise ValueError("udp_only without udp would lose every line")
    if config.udp is not None:
        port = b"" if config.udp.port == UDP_PORT else b":%d" % config.udp.port
        lines.append((b"U" if config.udp_only else b"u") + config.udp.address.encode() + port)
    if config.prefix:
        lines.append(b"p" + config.prefix)
    lines.extend(bytes((instruction.action,)) + instruction.pattern for instruction in config.instructions)
    for line in lines:
        if b"\n" in line or b"\0" in line:
            raise ValueError(f"svlogd's config cannot hold a newline or a NUL: {_show(line)}")
    return b"".join(line + b"\n" for line in lines)


def _scaled(number: int, units: tuple[tuple[bytes, int], ...]) -> bytes:
    if not 0 <= number < _LIMIT:
        raise ValueError(f"svlogd cannot count to {number}")
    for letter, factor in units:
        if number and number % factor == 0:
            return b"%d%s" % (number // factor, letter)
    return b"%d" % number


def _show(text: bytes) -> str:
    return ascii(text.decode("utf-8", "surrogateescape"))


def _scan(text: bytes) -> tuple[int, bytes]:
    """Give the number that `text` starts with (0 without digits), and the rest."""
    rest = text.lstrip(b"0123456789")
    digits = text[: len(text) - len(rest)]
    return (int(digits) if len(digits) < 4000 else _LIMIT) if digits else 0, rest


class _Reader:
    """Reads one directive after the other into `config`."""

    def __init__(self) -> None:
        self.config = Config()
        self.problems: list[ConfigProblem] = []
        self.line = 0
        self.seen: dict[int, int] = {}

    def complain(self, message: str, *, hint: str = "", warning: bytes = b"") -> None:
        self.problems.append(ConfigProblem(self.line, message, hint=hint, warning=warning))

    def read(self, line: bytes) -> None:
        line, nul, behind = line.partition(b"\0")
        if nul:
            self.complain("svlogd cuts a line at a NUL", hint="take it out")
        if not line or line.startswith(b"#"):
            return
        letter = line[0]
        directive = _DIRECTIVES.get(letter)
        if directive is None:
            self.complain(f"svlogd knows no directive {_show(line[:1])}", hint="one of s n N t ! p u U + - e E, or # for a comment")
            return
        if letter in b"snNt!puU":
            before = self.seen.setdefault(letter, self.line)
            if before != self.line:
                self.complain(f"{_show(line[:1])} was set already in line {before}; the last one counts")
        directive(self, letter, line[1:])
        if directive == _Reader._instruction:  # svlogd keeps them with a NUL behind each, and so takes one more for another
            self.config.instructions += tuple(Instruction(more[0], more[1:]) for more in behind.split(b"\0") if more[:1] in _ACTIONS)

    def finish(self) -> None:
        config = self.config
        line = self.seen.get(ord("N"))
        if line is not None and config.keep and config.keep_min >= config.keep:
            self.line = line
            self.complain(
                f"N ({config.keep_min}) is not less than n ({config.keep}); svlogd would ignore it",
                hint="N must be smaller than n",
            )
        elif line is not None and not config.keep:
            self.line = line
            self.complain("N has no effect with n0", hint="set n to a number greater than N")

    def _number(self, value: bytes, units: dict[bytes, int]) -> int:
        number, rest = _scan(value)
        if rest == value:
            self.complain(f"{_show(value)} is no number; svlogd takes 0", hint="digits right behind the letter")
            return 0
        factor = units.get(rest[:1], 1)
        if rest[:1] in units and rest[:1]:
            rest = rest[1:]
        if rest:
            known = " or ".join(unit.decode() for unit in units)
            self.complain(f"svlogd ignores {_show(rest)} behind the number", hint=f"a unit is one letter: {known}" if known else "")
        if number * factor >= _LIMIT:
            self.complain("the number is greater than svlogd can count")
        return number * factor % _LIMIT

    def _size(self, _letter: int, value: bytes) -> None:
        self.config.size = self._number(value, {b"k": 1 << 10, b"m": 1 << 20})

    def _keep(self, _letter: int, value: bytes) -> None:
        self.config.keep = self._number(value, {})

    def _keep_min(self, _letter: int, value: bytes) -> None:
        self.config.keep_min = self._number(value, {})

    def _age(self, _letter: int, value: bytes) -> None:
        self.config.age = self._number(value, {b"m": 60, b"h": 3600})

    def _processor(self, _letter: int, value: bytes) -> None:
        if not value:
            self.complain("a processor without a command is no processor")
            return
        self.config.processor = value

    def _prefix(self, _letter: int, value: bytes) -> None:
        if not value:
            self.complain("an empty prefix is no prefix")
            return
        self.config.prefix = value

    def _instruction(self, letter: int, value: bytes) -> None:
        if patterns.ends_in_plus(value):
            self.complain(f"nothing follows the plus at the end of {_show(value)}", hint="a plus repeats the byte behind it")
        self.config.instructions += (Instruction(letter, value),)

    def _udp(self, letter: int, value: bytes) -> None:
        if letter == ord("U"):
            self.config.udp_only = True
        octets = []
        rest = value
        for part in range(4):
            if part:
                if not rest.startswith(b"."):
                    break
                rest = rest[1:]
            octet, behind = _scan(rest)
            if behind == rest:
                break
            octets.append(octet)
            rest = behind
        if len(octets) < 4:
            lost = " and loses every line" if self.config.udp_only and self.config.udp is None else ""
            warning = b"unable to scan ip address: " + value
            self.complain(
                f"{_show(value)} is no IPv4 address; svlogd ignores it{lost}", hint="write a.b.c.d or a.b.c.d:port", warning=warning
            )
            return
        if max(octets) > 255:
            self.complain(f"{_show(value)} has a number greater than 255")
        port = UDP_PORT
        if rest.startswith(b":"):
            port, tail = _scan(rest[1:])
            if not port:
                self.complain(
                    f"{_show(rest[1:])} is no port; svlogd ignores the address",
                    hint="write a number from 1 to 65535",
                    warning=b"unable to scan port number: " + rest[1:],
                )
                return
            rest = tail
        if rest:
            self.complain(f"svlogd ignores {_show(rest)} behind the address")
        if port > 65535:
            self.complain(f"{port} is no port", hint="write a number from 1 to 65535")
        self.config.udp = Udp(".".join(str(octet % 256) for octet in octets), port % 65536) if port % 65536 else None


_DIRECTIVES: dict[int, Callable[[_Reader, int, bytes], None]] = {
    ord("s"): _Reader._size,
    ord("n"): _Reader._keep,
    ord("N"): _Reader._keep_min,
    ord("t"): _Reader._age,
    ord("!"): _Reader._processor,
    ord("p"): _Reader._prefix,
    ord("u"): _Reader._udp,
    ord("U"): _Reader._udp,
    SELECT: _Reader._instruction,
    DESELECT: _Reader._instruction,
    ALERT: _Reader._instruction,
    NO_ALERT: _Reader._instruction,
}
