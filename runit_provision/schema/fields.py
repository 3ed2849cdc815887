"""The kinds of values that the data's keys take, and how each is refused."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, PlainValidator, Strict, Tag
from pydantic_core import PydanticCustomError

from runit_provision.model.data import Numeral, Sensitive
from runit_provision.model.process import Variable, lines_can_see
from runit_provision.schema.json_kinds import (
    ABSOLUTE,
    ADDRESS,
    COMMAND,
    COMMENT,
    ENV,
    LINE,
    LINES,
    MODE,
    NAME,
    RELATIVE,
    SCRIPT,
    SECRET,
    SIGNAL,
    SIZE,
    SPAN,
    TEXT,
    UMASK,
    URL,
    VALUES,
    VERB,
    WORDS,
)

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SPANS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


NAME_MAX = 200
"""Bytes of a service's name: as much as a file system takes, and some for what is put around it."""
_ARGUMENT_MAX = 131071
"""Bytes of one argument, or of one variable with its name; execve(2), MAX_ARG_STRLEN."""
_NUMBER_MAX = (1 << 63) - 1
_REDACTED = "Sensitive [value redacted]"
BLANK_AT_THE_END = "ends in a blank, which chpst would take off"


def refuse(message: str, *, hint: str = "", at: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """Make the error of one value; `at` leads to the part of the value that it is about."""
    return PydanticCustomError("value", "{message}", {"message": message, "hint": hint, "at": at})


def text(value: Any) -> str:
    """Give a string; a whole number is taken when it was written as it would be printed."""
    if isinstance(value, Sensitive):
        raise refuse("a secret may not stand here: it would be readable by others", hint="put it into `env` or a file")
    if isinstance(value, bool):
        raise refuse("has to be a string, not a truth value", hint="quote it")
    if isinstance(value, Numeral):
        raise _misread(value)
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise refuse(f"has to be a string, not {kind(value)}", hint="quote it" if isinstance(value, float) else "")
    return sound(value)


def _misread(value: Numeral, at: tuple[str | int, ...] = ()) -> PydanticCustomError:
    return refuse(f"{value.text} is the number {value} to YAML", hint=f"quote it: '{value.text}'", at=at)


@dataclass(frozen=True, slots=True)
class MaybeSecret:
    """A text that may be shown, or a secret."""

    text: str = field(repr=False)
    secret: bool


def _maybe_secret(value: Any) -> MaybeSecret:
    if not isinstance(value, Sensitive):
        return MaybeSecret(text(value), secret=False)
    if isinstance(value.unwrap(), Numeral):
        raise refuse("is another number to YAML than it seems", hint="quote it")
    return MaybeSecret(text(value.unwrap()), secret=True)


def sound(value: str) -> str:
    """Refuse what no argument, variable or file name can hold."""
    if "\0" in value:
        raise refuse("holds a NUL byte, which no argument, variable or path can")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise refuse("is not valid Unicode: it holds half of a surrogate pair") from None
    if _REDACTED in value:
        raise refuse(
            f"holds {_REDACTED!r}, which a lookup puts into text for a secret",
            hint="let the whole value be the secret: %{alias('key')}",
        )
    return value


def _argument(value: str) -> str:
    if len(value.encode()) > _ARGUMENT_MAX:
        raise refuse(f"is longer than {_ARGUMENT_MAX} bytes, the kernel's bound of one argument", hint="put it into a file")
    return value


def kind(value: Any) -> str:
    """Name what `value` is in the words of YAML."""
    if isinstance(value, Sensitive):
        return "a secret"
    names = {dict: "a hash", list: "a list", str: "a string", bool: "a truth value", int: "a number", float: "a number"}
    return next((name for cls, name in names.items() if isinstance(value, cls)), "nothing" if value is None else type(value).__name__)


def shown(value: Any) -> str:
    """Write a value for a person, shortened; a secret never."""
    if isinstance(value, dict | list):
        return kind(value)
    words = "nothing" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return words if len(words) <= 60 else words[:57] + "..."


def _line(value: str) -> str:
    if any(char < " " or char == "\x7f" for char in value):
        raise refuse("holds a line break or another control character")
    return value


def _filled(value: str) -> str:
    if not value.strip():
        raise refuse("is empty")
    return value


def service_name(value: str) -> str:
    """Refuse what cannot be one directory name that runsvdir starts and that `sv` takes as a name."""
    _line(value)
    if not value:
        raise refuse("a service's name is empty")
    if "/" in value:
        raise refuse(f"the name {value!r} holds a slash: it is one directory's name, not a path")
    if value.startswith("."):
        raise refuse(f"the name {value!r} starts with a dot: runsvdir ignores such directories")
    if value.startswith("-"):
        raise refuse(f"the name {value!r} starts with a dash: sv would take it for an option")
    if len(value.encode()) > NAME_MAX:
        raise refuse(f"the name {value[:20]!r}... is longer than {NAME_MAX} bytes")
    return value


def _absolute(value: str) -> str:
    _line(value)
    if not value.startswith("/"):
        raise refuse(f"{value!r} is not an absolute path")
    parts = [part for part in value.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise refuse(f"{value!r} leads upwards with `..`")
    return "/" + "/".join(parts)


def _url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\x00-\x20\x7f]+", value):
        raise refuse(f"{value!r} is no URL of http or https", hint="it begins with http:// or https://")
    return value


def _relative(value: str) -> str:
    _line(value)
    parts = [part for part in value.split("/") if part not in ("", ".")]
    if value.startswith("/") or ".." in parts or not parts:
        raise refuse(f"{value!r} leads out of the service directory", hint="give a path relative to it, without `..`")
    return "/".join(parts)


def entry_path(value: str) -> str:
    """Give a path within a service directory; one that ends in a slash is a directory's."""
    return _relative(value) + "/" * value.endswith("/")


def _apart(value: Any) -> Any:
    """Refuse two paths for one file, of which only one would be written."""
    seen: dict[str, str] = {}
    for path in value if isinstance(value, dict) else ():
        if isinstance(path, str):
            plain = "/".join(part for part in path.split("/") if part not in ("", "."))
            if plain in seen:
                raise refuse(f"{path!r} is the same place as {seen[plain]!r}", hint="keep one", at=(path,))
            seen[plain] = path
    return value


def _size(value: Any) -> int:
    """Give bytes: a whole number, or one with k, m, g or t (powers of 1024)."""
    return _measure(value, _UNITS, "bytes, like 1048576 or 1m")


def _span(value: Any) -> int:
    """Give seconds: a whole number, or one with s, m, h, d or w."""
    return _measure(value, _SPANS, "seconds, like 86400 or 1d")


def _measure(value: Any, units: dict[str, int], what: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return _countable(value)
    found = re.fullmatch(r"(\d{1,18})\s*([a-z]?)", value.lower()) if isinstance(value, str) else None
    if not found or found[2] not in units:
        raise refuse(f"has to be a number of {what}, not {shown(value)}")
    return _countable(int(found[1]) * units[found[2]])


def _countable(value: int) -> int:
    if value > _NUMBER_MAX:
        raise refuse(f"{value} is more than {_NUMBER_MAX}, the most that can be counted to")
    return value


def _mode(value: Any) -> int:
    """Give a file mode."""
    return _octal(value, "[0-7]{3,4}|0[0-7]{4}", "a quoted octal mode like '0755'")


def _umask(value: Any) -> int:
    """Give a mask of modes."""
    return _octal(value, "0?[0-7]{1,3}", "a quoted octal mask like '027'")


def _octal(value: Any, form: str, what: str) -> int:
    """Give the number of octal digits. A bare number is refused: to YAML 755 is decimal and 0755 octal, to others both are decimal."""
    if isinstance(value, str) and re.fullmatch(form, value):
        return int(value, 8)
    if isinstance(value, int) and not isinstance(value, bool | Numeral) and 0 <= value <= 7:
        return value
    text = getattr(value, "text", str(value))
    likely = [text] if re.fullmatch(form, text) else []
    if isinstance(value, int) and not isinstance(value, bool | Numeral) and 7 < value <= 0o7777:
        # Whoever handed the data on, as Puppet does, may have read 0644 as YAML does: 420.
        likely += [octal for octal in (f"0{value:o}",) if value <= 0o777 and octal not in likely]
    hint = "quote it: " + ", or ".join(f"'{each}'" for each in likely) if likely else ""
    raise refuse(f"has to be {what}, not {shown(value)}", hint=hint)


def script(value: Any) -> str:
    """Give the text of a whole script; one without a shebang could not be executed as what it is."""
    content = _filled(text(value))
    if not re.match(r"#! ?/\S", content):
        raise refuse("a script without a shebang", hint="let its first line be #!/bin/sh; a `command`, and `lines`, need none")
    return content if content.endswith("\n") else content + "\n"


def _line_of_command(value: Any) -> str:
    """Give a line that the shell can read."""
    if not isinstance(value, str | Sensitive):
        raise refuse(f"has to be a list of words or a line, not {kind(value)}")
    line = _argument(_filled(text(value)).strip())
    if line.startswith("-"):
        raise refuse(f"{line.split()[0]!r} is no program's name", hint="give its path")
    try:
        shlex.split(line, comments=True)
    except ValueError as error:
        raise refuse(f"the shell could not read it: {str(error).lower()}", hint="balance the quotes, or give a list of words") from None
    return line


def _program(value: list[str]) -> list[str]:
    """Refuse what names no program."""
    if not value:
        raise refuse("is empty: there is no program to run")
    if not value[0] or value[0].startswith("-"):
        raise refuse(f"{value[0]!r} is no program's name", hint="give its path", at=(0,))
    return value


def _variable_name(value: Any) -> str:
    if not isinstance(value, str):
        raise refuse(f"a variable's name has to be a string, not {kind(value)}", hint="quote it")
    if not re.fullmatch(r"[^=/.\0-\x1f\x7f][^=/\0-\x1f\x7f]*(?<![ ])", value):
        raise refuse(f"{value!r} cannot be a variable's name", hint="no `=`, no slash, no leading dot, no blank at its end")
    if len(value.encode(errors="replace")) > 200:
        raise refuse("the name is longer than 200 bytes, too long for a file of an env directory")
    return sound(value)


def _held(value: dict[str, MaybeSecret | None]) -> dict[str, MaybeSecret | None]:
    """Refuse what neither a file of an env directory nor a line of shell can hold."""
    for name, content in value.items():
        if content and len(f"{name}={content.text}".encode()) > _ARGUMENT_MAX:
            raise refuse(
                f"is longer than {_ARGUMENT_MAX} bytes, the kernel's bound of one variable", hint="put it into a file", at=(name,)
            )
        if content and content.text.endswith((" ", "\t")) and not lines_can_see(name):
            raise refuse(BLANK_AT_THE_END, hint="a name that a shell can set (letters, digits and underscores) can hold it", at=(name,))
    return value


def variables(env: Mapping[str, MaybeSecret | None]) -> dict[str, Variable]:
    """Give the variables of an `env`, by name and in its order."""
    return {name: Variable(name, value.text, value.secret) if value else Variable(name, None) for name, value in sorted(env.items())}


def _one_or_more(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _named_values(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse what a template cannot call by name."""
    for name in value:
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
            raise refuse(f"{name!r} cannot be a variable's name", hint="letters, digits and underscores", at=(name,))
    for path, number in _numerals(value):
        raise _misread(number, at=path)
    if "service" in value:
        raise refuse("`service` is what every template knows already", hint="choose another name", at=("service",))
    return value


def _numerals(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Numeral]]:
    """Give the numbers that are printed otherwise than they were written, and where they stand."""
    if isinstance(value, Numeral):
        yield path, value
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _numerals(item, (*path, key))


def _address(value: str) -> str:
    if value.startswith("-"):
        raise refuse(f"{value!r} starts with a dash: mail would take it for an option")
    return value


def _full_name(value: str) -> str:
    if ":" in _line(value):
        raise refuse("holds a colon, which parts the fields of passwd")
    return value


Text = Annotated[str, BeforeValidator(text), TEXT]
Secret = Annotated[MaybeSecret, PlainValidator(_maybe_secret), SECRET]
Line = Annotated[str, BeforeValidator(text), AfterValidator(_line), AfterValidator(_filled), LINE]
Address = Annotated[Line, AfterValidator(_address), ADDRESS]
Lines = Annotated[list[Line], BeforeValidator(_one_or_more), LINES]
Name = Annotated[str, BeforeValidator(text), AfterValidator(service_name), NAME]
Absolute = Annotated[str, BeforeValidator(text), AfterValidator(_absolute), ABSOLUTE]
Relative = Annotated[str, BeforeValidator(text), AfterValidator(_relative), RELATIVE]
EntryPath = Annotated[str, BeforeValidator(text), AfterValidator(entry_path), RELATIVE]
Apart = BeforeValidator(_apart)
Url = Annotated[str, BeforeValidator(text), AfterValidator(_url), URL]
ScriptText = Annotated[str, BeforeValidator(script), SCRIPT]
Size = Annotated[int, BeforeValidator(_size), SIZE]
Span = Annotated[int, BeforeValidator(_span), SPAN]
Mode = Annotated[int, BeforeValidator(_mode), MODE]
Umask = Annotated[int, BeforeValidator(_umask), UMASK]
Flag = Annotated[bool, Strict()]
Count = Annotated[int, Strict(), Field(ge=0), AfterValidator(_countable)]
Nice = Annotated[int, Strict(), Field(ge=-40, le=40)]
Signal = Annotated[Literal["hup", "alarm", "interrupt", "quit", "1", "2", "term", "kill"], BeforeValidator(text), SIGNAL]
Verb = Annotated[
    Literal["restart", "up", "down", "hup", "alarm", "interrupt", "quit", "1", "2", "term", "kill"], BeforeValidator(text), VERB
]
Words = Annotated[list[Annotated[str, BeforeValidator(text), AfterValidator(_argument)]], AfterValidator(_program), WORDS]
Number = Annotated[int, Strict(), Field(ge=1, le=0xFFFFFFFE)]
"""Of an account or a group; root's is nobody's to give."""
Comment = Annotated[str, BeforeValidator(text), AfterValidator(_full_name), COMMENT]
CommandLine = Annotated[str, BeforeValidator(_line_of_command)]
CommandValue = Annotated[
    Annotated[Words, Tag("words")] | Annotated[CommandLine, Tag("line")],
    Discriminator(lambda value: "words" if isinstance(value, list) else "line"),
    COMMAND,
]
"""A list is a program and its arguments, a string a line of shell."""
Variables = Annotated[dict[Annotated[str, BeforeValidator(_variable_name)], Secret | None], AfterValidator(_held), ENV]
Values = Annotated[dict[str, Any], AfterValidator(_named_values), VALUES]
"""What a template is given, by name."""
