"""The files of an image's accounts as tables: passwd(5), group(5), and shadow(5) and gshadow(5) where the image has them.

Numbers are given as useradd(8) gives them: the one above the highest of the range, or the next below the lowest for a system account.
Passwords are locked, and no date is written, so that the same data give the same bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path

from runit_provision.errors import HostError, Problem
from runit_provision.model.account import Group, Login
from runit_provision.model.plan import Change, LoginStep

TABLES = ("gshadow", "group", "shadow", "passwd")
"""The names of the files, in the order in which they are written: see `Tables.changed`."""
_RANGES = {"UID": (1000, 60000), "SYS_UID": (100, 999), "GID": (1000, 60000), "SYS_GID": (100, 999)}
"""Least and most, unless login.defs(5) says otherwise."""


class Tables:
    """All four files, line by line; what is not understood stays as it is."""

    def __init__(self, texts: dict[str, str], ranges: dict[str, tuple[int, int]]) -> None:
        self._lines = {name: text.splitlines() for name, text in texts.items()}
        self._before = {name: list(lines) for name, lines in self._lines.items()}
        self._ranges = ranges

    @classmethod
    def read(cls, etc: Path) -> Tables:
        """Read what there is in the folder `etc`; HostError when there is no passwd or group, or one cannot be read."""
        texts = {}
        for name in TABLES:
            try:
                texts[name] = (etc / name).read_text(encoding="utf-8", errors="surrogateescape")
            except FileNotFoundError:
                if name in ("passwd", "group"):
                    raise HostError(Problem("does not exist, and accounts are to be made", path=f"/etc/{name}")) from None
            except OSError as error:
                raise HostError(Problem(f"cannot be read: {error.strerror}", path=f"/etc/{name}")) from error
        return cls(texts, _ranges(etc / "login.defs"))

    def changed(self) -> Iterator[tuple[str, bytes]]:
        """Give the name and the content of each file that has changed: groups first, so that no account lacks its own.

        What tells that an account or a group is there comes after its shadow: whoever is killed between them does both again.
        """
        for name in TABLES:
            lines = self._lines.get(name)
            if lines is not None and lines != self._before[name]:
                yield name, "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")

    def do(self, step: LoginStep) -> None:
        """Do what a step for a group or an account says; HostError when no number can be had for it."""
        if step.group:
            self._add_group(step.group)
        elif step.login and step.change is Change.CREATE:
            self._add_login(step.login)
        elif step.login:
            self._change_login(step.login)

    def _add_group(self, group: Group) -> None:
        number = self._number("group", "GID", group.gid, system=group.system)
        self._lines["group"].append(f"{group.name}:x:{number}:")
        self._append("gshadow", f"{group.name}:!::")

    def _add_login(self, login: Login) -> None:
        """Add an account, whose primary group is there, and put it into its other groups."""
        number = self._number("passwd", "UID", login.uid, system=login.system)
        gid = next(line.split(":")[2] for line in self._lines["group"] if line.split(":")[0] == login.group)
        fields = (login.name, "x", str(number), gid, login.comment or "", login.home, login.shell or "/bin/sh")
        self._lines["passwd"].append(":".join(fields))
        self._append("shadow", f"{login.name}:!::0:99999:7:::")
        self._join(login)

    def _change_login(self, login: Login) -> None:
        """Let an account have the shell, the comment and the groups that are wanted."""
        for place, line in enumerate(self._lines["passwd"]):
            fields = line.split(":")
            if fields[0] == login.name:
                fields[4] = fields[4] if login.comment is None else login.comment
                fields[6] = fields[6] if login.shell is None else login.shell
                self._lines["passwd"][place] = ":".join(fields)
        self._join(login)

    def _join(self, login: Login) -> None:
        for name in ("group", "gshadow"):
            for place, line in enumerate(self._lines.get(name, ())):
                *fields, members = line.split(":")
                names = [member for member in members.split(",") if member]
                if fields and fields[0] in login.groups and login.name not in names:
                    self._lines[name][place] = ":".join([*fields, ",".join([*names, login.name])])

    def _append(self, name: str, line: str) -> None:
        """Add a line to a shadow file. One of an account that is no more goes: nobody new is to have its password."""
        if name in self._lines:
            of = line.partition(":")[0]
            self._lines[name] = [*(each for each in self._lines[name] if each.partition(":")[0] != of), line]

    def _number(self, name: str, kind: str, given: int | None, *, system: bool) -> int:
        """Give the number for a new line: the one that is `given`, unless another has taken it since, or one that is free."""
        rows = (line.split(":") for line in self._lines[name])
        taken = {int(fields[2]): fields[0] for fields in rows if len(fields) > 2 and fields[2].isdigit()}
        if given is None:
            return self._free(name, kind, taken, system=system)
        if given in taken:
            raise HostError(Problem(f"the number {given} is {taken[given]}'s", path=f"/etc/{name}"))
        return given

    def _free(self, name: str, kind: str, taken: Collection[int], *, system: bool) -> int:
        least, most = self._ranges[f"SYS_{kind}" if system else kind]
        within = [number for number in taken if least <= number <= most]
        wanted = (
            range(min(within, default=most + 1) - 1, least - 1, -1) if system else range(max(within, default=least - 1) + 1, most + 1)
        )
        free = next((number for number in chain(wanted, range(least, most + 1)) if number not in taken), None)
        if free is not None:
            return free
        raise HostError(Problem(f"no number between {least} and {most} is free", path=f"/etc/{name}"))


def _ranges(file: Path) -> dict[str, tuple[int, int]]:
    said: dict[str, int] = {}
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        words = line.split()
        if len(words) >= 2 and words[1].isdigit():
            said[words[0]] = int(words[1])
    return {kind: (said.get(f"{kind}_MIN", least), said.get(f"{kind}_MAX", most)) for kind, (least, most) in _RANGES.items()}
