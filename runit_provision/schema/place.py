"""The tree that services are read for: where its paths are, whose it is, and what may be done in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runit_provision.errors import nearest
from runit_provision.model.account import UNKNOWN, Account
from runit_provision.model.tree import Realm
from runit_provision.schema.materials import Material, MaterialError, Materials
from runit_provision.schema.plain_shell import is_plain
from runit_provision.schema.problems import Path, Problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One tree.

    account: its owner. realm, log_realm: in whose hands its paths and its log directories lie. shipped: the shipped runtime
    supervises it. path: of its services in the data. prefix, log_prefix: of their ids, and of their log directories. shell,
    materials, group_number: see `read_host`; template_path, file_path: where the second looks. coming_groups: to be made.
    """

    account: Account
    accounts: Mapping[str, Account]
    problems: Problems
    realm: Realm
    log_realm: Realm
    shipped: bool
    service_directory: str
    definitions: str
    logs: str
    path: Path
    prefix: str = ""
    log_prefix: str = ""
    shell: Callable[[str], str] | None = None
    materials: Materials | None = None
    template_path: tuple[str, ...] = ()
    file_path: tuple[str, ...] = ()
    group_number: Callable[[str], int | None] | None = None
    coming_groups: frozenset[str] = frozenset()

    @property
    def privileged(self) -> bool:
        """Whether its owner may become anyone."""
        return self.account.uid == 0

    def hands(self, directory: str) -> Realm:
        """Give in whose hands the log directory `directory` lies; one that lies elsewhere is made by the system for the owner."""
        around = (realm for realm in (self.realm, self.log_realm) if realm.holds(directory))
        return next(around, Realm(self.account.name, directory))

    def check_inside(self, key: str, directory: str, path: Path) -> None:
        """Note a directory of a user that lies where the user's hands do not reach."""
        if not self.realm.holds(directory):
            message = f"{directory} lies outside the user's directory {self.realm.base}"
            self.problems.add((*path, key), message, hint="set the user's `basedir` as well")

    def check_syntax(self, text: str, path: Path) -> None:
        """Note what the shell has to say against the script, or the lines, that stand at `path` of the data."""
        if not self.shell or is_plain(text):
            return
        if text.startswith("#!"):
            said = self.shell(text)
        else:
            # What goes on behind the last line (a backslash, a here-document) would take in what the script says next.
            whole = self.shell(f"{{ :; {text}\n}}\n")
            said = whole and (self.shell(text) or "the last line does not end there: it would take in what follows")
        if said:
            self.problems.add(path, f"the shell could not read it: {said}")

    def rendered(self, template: str, values: Mapping[str, Any]) -> str:
        """Give the text of `template` with `values` in it; MaterialError when that cannot be."""
        return self._found().template(template, self.template_path, values)

    def copied(self, source: str) -> Material:
        """Give the file `source`; MaterialError when that cannot be."""
        return self._found().file(source, self.file_path)

    def copied_folder(self, source: str) -> Mapping[str, Material]:
        """Give the files of the folder `source`; MaterialError when that cannot be."""
        return self._found().folder(source, self.file_path)

    def _found(self) -> Materials:
        if self.materials is None:
            raise MaterialError("there is no folder in which it could be found")
        return self.materials

    def find_group(self, name: str, path: Path) -> int | None:
        """Give the number of the group `name`, which `path` of the data asks for; None when nobody knows it."""
        number = int(name) if name.isascii() and name.isdigit() else self.group_number(name) if self.group_number else None
        if number is None and self.group_number and name not in self.coming_groups:
            hint = "create the group first, or name it in `groups` of the host"
            self.problems.add_stranger(path, f"there is no group {name!r}", hint=hint)
        return number

    def find_account(self, name: str, path: Path) -> Account:
        """Give the account `name`, which `path` of the data asks for."""
        return find_account(name, path, self.accounts, self.problems)


def find_account(name: str, path: Path, accounts: Mapping[str, Account], problems: Problems) -> Account:
    """Give the account `name`; when there is none, note that and give a stand-in.

    Where that is a problem the stand-in may do all, so that nothing follows from it.
    """
    if name in accounts:
        return accounts[name]
    hint = nearest(name, accounts) or f"create the account first, or let `runit.users.{name}.manage: true` do so"
    problems.add_stranger(path, f"there is no user {name!r}", hint=hint)
    if name == "root" or not problems.takes_strangers:
        return Account(name, 0, 0, name, "/root" if name == "root" else f"/home/{name}")
    return Account(name, UNKNOWN, UNKNOWN, name, f"/home/{name}")
