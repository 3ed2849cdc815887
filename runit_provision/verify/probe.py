"""Asking about services with nothing but a POSIX shell: what probe.sh and checks.sh are asked, and what their answers mean."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterable, Iterator
from importlib import resources

from runit_provision.runtime.wire import detail, tai
from runit_provision.runtime.wire import status as wire
from runit_provision.verify.life import End, Life, Process, Supervised

MAX_COMMAND = 100_000
"""Bytes; Linux takes 128 KiB in one argument, and `sh -c` and ssh carry a command as one."""


_AT_ONCE = 50
"""Checks that run at the same time."""


@functools.cache
def script(name: str) -> str:
    """Give the text of `probe.sh` or `checks.sh`, after that of `opening.sh`, by which both read."""
    return "".join(resources.files(__package__).joinpath(each).read_text(encoding="utf-8") for each in ("opening.sh", name))


def commands(services: Iterable[tuple[str, str]], *, lines: int) -> Iterator[str]:
    """Give shell commands that look at all `services`, in their order.

    services: pairs of service directory and log directory ("" when it is not known). lines: how many log lines to read of each; with 0
    its last ends are not read either.
    """
    words = (shlex.join(pair) for pair in services)
    yield from _batches(f"sh -c {shlex.quote(script('probe.sh'))} probe {lines}", words, most=MAX_COMMAND)


def checks(services: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """Give shell commands that run the `check` of each of `services`, in their order; none for none.

    services: directory, whom root becomes ("" for nobody else), and PATH ("" when nobody tells of it).
    """
    words = [shlex.join(service) for service in services]
    if words:
        yield from _batches(f"sh -c {shlex.quote(script('checks.sh'))} checks", words, most=_AT_ONCE)


def _batches(head: str, words: Iterable[str], *, most: int) -> Iterator[str]:
    """Give commands that begin with `head`, of at most so many words that no command is too long; one at least."""
    command, number = head, 0
    for word in words:
        if number and (number == most or len(command) + len(word) >= MAX_COMMAND):
            yield command
            command, number = head, 0
        command, number = f"{command} {word}", number + 1
    yield command


def parse(answer: str) -> list[Life]:
    """Read what one command printed; ValueError when it is not what probe.sh prints."""
    head, *blocks = answer.split("service\n")
    key, _, now = head.strip().rpartition(" ")
    if key.split()[-1:] != ["now"] or not now.isdigit():
        raise ValueError(f"the host did not answer as a POSIX shell does: {answer[:200]!r}")
    return [_life(int(now), block) for block in blocks]


def parse_checks(answer: str) -> list[int]:
    """Read what one command of `checks` printed: exit statuses, in the order of its directories; ValueError when it is not that."""
    *lines, end = answer.splitlines()[-_AT_ONCE - 1 :] or [""]
    statuses = {int(number): int(status) for number, status in re.findall(r"(?m)^(\d+) (\d+)$", "\n".join(lines))}
    if end != "asked" or sorted(statuses) != [*range(len(statuses))]:
        raise ValueError(f"the host did not answer as a POSIX shell does: {answer[:200]!r}")
    return [statuses[number] for number in range(len(statuses))]


def _life(now: int, block: str) -> Life:
    facts: dict[str, list[str]] = {}
    for line in block.splitlines():
        key, *words = line.split()
        facts[key] = words
    main = _process(facts["main"])
    said = detail.unpack(_bytes(facts.get("detail", [])), main.status.pid if main.status else 0)
    return Life(
        now=now,
        exists="exists" in facts,
        enabled="enabled" in facts,
        failed="failed" in facts,
        ready=not said.notifies or said.ready > 0,
        main=main,
        log=_process(facts["log"]) if "log" in facts else None,
        lines=tuple(_bytes(facts.get("lines", [])).decode(errors="replace").splitlines()),
        logged=int(facts["logged"][0]) if "logged" in facts else None,
        gave_up="gave_up" in facts,
        ends=tuple(_ends(_bytes(facts.get("ends", [])).decode(errors="replace"))),
    )


def _ends(tally: str) -> Iterator[End]:
    """Read supervise/deaths; a line that its owner wrote in another way is none."""
    for label, how in re.findall(r"(?m)^@([0-9a-f]{24}) ran [0-9.]+ (exited \d{1,3}|signal \d{1,3}|unknown)$", tally):
        yield End(tai.unpack(bytes.fromhex(label)) / 1e9, how)


def _process(words: list[str]) -> Process:
    supervised, *status = words
    # A status that is empty or cut was looked at while it was first written.
    read = _bytes(status)
    return Process(Supervised(supervised), wire.unpack(read) if len(read) == wire.SIZE else None)


def _bytes(words: list[str]) -> bytes:
    return bytes.fromhex("".join(words))
