"""The logins of a host, or of an image that is being built: passwd(5) and group(5)."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator, Mapping
from pathlib import Path

from runit_provision.errors import HostError, Problem
from runit_provision.host.rooted import here, on_host
from runit_provision.inputs import Question
from runit_provision.model.account import UNKNOWN, Account, Coming, KnownLogin
from runit_provision.model.tree import Owner, Realm


class Accounts(Mapping[str, Account]):
    """Every account by its login name, asked for one by one: a directory service is never listed for a single name.

    said: what was asked for, and what was said (see inputs.py). where: whose accounts they are, in words.
    """

    where = "on this host"

    def __init__(self) -> None:
        self._known: dict[str, Account | None] = {}
        self.said: dict[Question, bytes] = {}

    def __getitem__(self, name: str) -> Account:
        question = ("account", name)
        self.said[question] = self.ask(question)
        account = self._account(name)
        if account is None:
            raise KeyError(name)
        return account

    def _account(self, name: str) -> Account | None:
        if name not in self._known:
            self._known[name] = _looked_up(name)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(entry.pw_name for entry in pwd.getpwall()))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def gid(self, group: str) -> int:
        """Give the number of the group `group`; KeyError when there is none."""
        question = ("group", group)
        self.said[question] = self.ask(question)
        return self._gid(group)

    def _gid(self, group: str) -> int:
        return grp.getgrnam(group).gr_gid

    def ask(self, question: Question) -> bytes:
        """Give what is said to the question for an "account" or a "group"; it is not counted as asked."""
        kind, name = question
        try:
            said = self._account(name) if kind == "account" else self._login(name) if kind == "login" else self._gid(name)
            return repr(said).encode()
        except KeyError:
            return b""

    def login(self, name: str) -> KnownLogin | None:
        """Give all that is known of the account `name`, or None."""
        question = ("login", name)
        self.said[question] = self.ask(question)
        return self._login(name)

    def _login(self, name: str) -> KnownLogin | None:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            return None
        names = [_group_name(gid) for gid in os.getgrouplist(name, entry.pw_gid)]
        home = os.path.lexists(entry.pw_dir)
        group = _group_name(entry.pw_gid)
        return KnownLogin(entry.pw_uid, entry.pw_gid, group, tuple(names), entry.pw_dir, entry.pw_shell, entry.pw_gecos, home)

    def whose_uid(self, uid: int) -> str | None:
        """Give the name of the account that has the number `uid`, or None; nothing that is remembered depends on it."""
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return None

    def whose_gid(self, gid: int) -> str | None:
        """Give the name of the group that has the number `gid`, or None."""
        try:
            return grp.getgrgid(gid).gr_name
        except KeyError:
            return None

    def number(self, group: str) -> int | None:
        """Give the number of the group `group`, or None."""
        try:
            return self.gid(group)
        except KeyError:
            return None

    def groups(self, name: str) -> tuple[int, ...]:
        """Give the numbers of all groups of the account `name`, its primary group first; KeyError when there is none."""
        account = self[name]
        others = [gid for gid in os.getgrouplist(name, account.gid) if gid != account.gid]
        return (account.gid, *others)


class ImageAccounts(Accounts):
    """The accounts of an image: its own files, whatever the building host knows."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.where = f"in the image {root}"
        self._groups: dict[str, int] = {}
        self._members: dict[str, list[int]] = {}
        self._logins: dict[str, KnownLogin] = {}
        self._names: dict[int, str] = {}
        for name, _, gid, members in _lines(root, "/etc/group", 4):
            self._groups.setdefault(name, int(gid))
            self._names.setdefault(int(gid), name)
            for member in filter(None, members.split(",")):
                self._members.setdefault(member, []).append(int(gid))
        for name, _, uid, gid, comment, home, shell in _lines(root, "/etc/passwd", 7):
            group = self._names.get(int(gid), gid)
            account = Account(name=name, uid=int(uid), gid=int(gid), group=group, home=home)
            self._known.setdefault(name, account)
            others = [self._names[number] for number in self._members.get(name, ()) if self._names[number] != group]
            there = os.path.lexists(on_host(root, home))
            self._logins.setdefault(name, KnownLogin(int(uid), int(gid), group, (group, *others), home, shell, comment, there))

    def _account(self, name: str) -> Account | None:
        return self._known.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def _gid(self, group: str) -> int:
        return self._groups[group]

    def _login(self, name: str) -> KnownLogin | None:
        return self._logins.get(name)

    def whose_uid(self, uid: int) -> str | None:
        return next((name for name, account in self._known.items() if account and account.uid == uid), None)

    def whose_gid(self, gid: int) -> str | None:
        return self._names.get(gid)

    def groups(self, name: str) -> tuple[int, ...]:
        account = self[name]
        return (account.gid, *(gid for gid in self._members.get(name, ()) if gid != account.gid))


def _looked_up(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid, group=_group_name(entry.pw_gid), home=entry.pw_dir)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def read(root: Path = Path("/")) -> Accounts:
    """Give the accounts of the running host, or those of ROOT/etc/passwd and ROOT/etc/group; HostError for a damaged file."""
    return Accounts() if root == Path("/") else ImageAccounts(root)


def _lines(root: Path, path: str, fields: int) -> Iterator[list[str]]:
    try:
        text = on_host(root, path).read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return
    except OSError as error:
        raise HostError(Problem(f"cannot be read: {error.strerror}", path=here(root, path))) from error
    for number, line in enumerate(text.splitlines(), start=1):
        if not line or line.startswith(("#", "+", "-")):
            continue
        values = line.split(":")
        numbers = values[2:3] if fields == 4 else values[2:4]
        if len(values) != fields or not all(value.isascii() and value.isdigit() for value in numbers):
            raise HostError(Problem(f"line {number} is not as it has to be: {len(values)} fields", path=here(root, path)))
        yield values


def number(accounts: Accounts, realm: Realm, owner: Owner | None, coming: Coming) -> tuple[int, int]:
    """Give uid and gid of what `owner` (None: the realm's account, or who applies) is to own; HostError for an unknown name.

    The numbers of what is to be made may be UNKNOWN still.
    """
    user = owner.user if owner else realm.account
    if user is None:
        return os.geteuid(), os.getegid()
    if account := accounts.get(user):
        uid, gid = account.uid, account.gid
    elif login := coming.logins.get(user):
        uid, gid = login.uid or UNKNOWN, login.gid or UNKNOWN
    else:
        raise HostError(Problem(f"no such account: {user}", path=realm.base, hint="create it first, or correct the name"))
    if owner is None or owner.group is None:
        return uid, gid
    try:
        return uid, accounts.gid(owner.group)
    except KeyError:
        if group := coming.groups.get(owner.group):
            return uid, group.gid or UNKNOWN
        raise HostError(Problem(f"no such group: {owner.group}", path=realm.base)) from None
