"""Shell text as far as a warning needs to understand it: its simple commands, and what joins them; POSIX, Shell Command Language."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<blank> [ \t]+ | \\\n | \#[^\n]* )
    | (?P<redirection> \d*(?: >> | >& | >\| | <& | <> | <<-? | < | > ) | &>>? )
    | (?P<operator> && | \|\| | ;; | [;|&()\n] )
    | (?P<word> (?: [^\s"'\\`$;|&()<>]+ | \\. | '[^']*' | "(?:[^"\\]|\\.)*" | `[^`]*`
                  | \$\( (?: [^()] | \([^()]*\) )* \) | \$\{[^}]*\} | \$ )+ )""",
    re.VERBOSE | re.DOTALL,
)
_OPENING = {"if": "fi", "case": "esac", "for": "done", "while": "done", "until": "done", "{": "}", "(": ")"}
_COMPOUND = ("compound", "")
_BETWEEN = ("then", "else", "elif", "do", "in", "!")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_TO_OUTPUT = re.compile(r"1?(?:>>|>\||>&|>)|&>>?")


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command, or, without a name, something in which others stand.

    words: without quotes, assignments and redirections. joined: `&&`, `||` or `|` before
    it, or nothing; ended: what stands behind it. output: the file that its standard output goes to, "" for that of another descriptor,
    None where it is left.
    """

    words: tuple[str, ...]
    joined: str
    ended: str
    output: str | None

    @property
    def name(self) -> str:
        """What is called, or nothing where it only redirects or assigns."""
        return self.words[0] if self.words else ""


def commands(text: str) -> tuple[Command, ...]:
    """Give the commands that stand in nothing else (no `if`, loop, function or subshell), in order; none when that is not certain."""
    try:
        return tuple(_outer(text))
    except ValueError:
        return ()


def _outer(text: str) -> Iterator[Command]:
    around: list[str] = []
    found: list[tuple[str, str]] = []
    joined = ""
    for kind, token in (*_tokens(text), ("operator", "\n")):
        if kind != "operator":
            found.append((kind, token))
            found = _enter(found, around)
            continue
        if token == "(":  # a subshell, or the name of a function
            around.append(")")
            found = []
            continue
        if token == ")" and around[-1:] != [")"]:
            found = []  # of a pattern of `case`
            continue
        if token == ")":
            around.pop()
            found = [_COMPOUND]
            continue
        if around and found and found[0][1] == around[-1]:
            around.pop()
            found = [_COMPOUND]
        if not found:
            continue  # an empty line, or what goes on after && and the like
        if not around:
            yield _command(found, joined, token)
        joined = token if token in ("&&", "||", "|") else ""
        found = []
    if around:
        raise ValueError(text)


def _enter(found: list[tuple[str, str]], around: list[str]) -> list[tuple[str, str]]:
    """Take note of a word that begins something in which commands stand; what follows it is a command's beginning."""
    word = found[-1][1]
    if len(found) > 1 and found[-2] != _COMPOUND:
        return found
    if word in _OPENING:
        around.append(_OPENING[word])
        return [] if word in ("if", "while", "until", "{") else found
    return [] if word in _BETWEEN else found


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None or token["redirection"] in ("<<", "<<-"):
            raise ValueError(text)
        place = token.end()
        if token.lastgroup != "blank":
            yield token.lastgroup or "", token[0]


def _command(found: list[tuple[str, str]], joined: str, ended: str) -> Command:
    words: list[str] = []
    output: str | None = None
    pending = ""
    for kind, token in found:
        if kind == "compound":
            continue
        if kind == "redirection":
            pending = token
        elif pending:
            if _TO_OUTPUT.fullmatch(pending):
                output = "" if pending.endswith("&") and (token.isdigit() or token == "-") else _plain(token)
            pending = ""
        elif words or not _ASSIGNMENT.match(token):
            words.append(_plain(token))
    return Command(tuple(words), joined, ended, output)


def _plain(word: str) -> str:
    return "".join(shlex.split(word))
