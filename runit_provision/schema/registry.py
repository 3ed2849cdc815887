"""All services by id, so that they can name each other, across trees too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from runit_provision.errors import nearest
from runit_provision.model.account import Account
from runit_provision.model.ending import Notice
from runit_provision.model.health import Peer
from runit_provision.schema.place import Place
from runit_provision.schema.problems import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """A service as others see it.

    judged: others learn whether it has succeeded, which matters when it is a one-shot. scripted: its `run` is a script of its own.
    delegate: the account that may control it too.
    """

    id: str
    link: str
    account: Account
    one_shot: bool = False
    judged: bool = True
    scripted: bool = False
    delegate: str | None = None


@dataclass(frozen=True, slots=True)
class Registry:
    """entries: every service. watched: ids of those whose state is asked for by another account."""

    entries: dict[str, Entry] = field(default_factory=dict)
    watched: set[str] = field(default_factory=set)

    def add(self, entry: Entry) -> None:
        """Enter a service; of two with one id the first stays, which others find wrong."""
        self.entries.setdefault(entry.id, entry)

    def peers(self, names: list[str], place: Place, path: Path) -> Iterator[Peer]:
        """Give the services that `names`, at `path` of the data, mean to a service in `place`: how it asks for them."""
        for index, name in enumerate(names):
            at = (*path, index)
            entry = self._find(name, place, at)
            if entry is None:
                continue
            if not entry.judged:
                message = f"{entry.id} runs once, and its `finish`, a whole script, tells nobody whether it succeeded"
                hint = "say it with `lines` and `mail`, which note that as well"
                place.problems.add(at, message, hint=hint)
            own = entry.account.name == place.account.name
            if not own and not place.privileged:
                self.watched.add(entry.id)
                if entry.scripted:
                    hint = "give it a `command`, so that its script can let others see its state"
                    place.problems.add(at, f"{entry.id} is of another tree, and its `run` is a script of its own", hint=hint)
            account = entry.account.name if place.privileged and not own else None
            stranger = not own and not place.privileged and entry.account.uid != 0
            yield Peer(entry.id, entry.link, entry.one_shot, account, stranger)

    def notices(self, verbs: dict[str, str], place: Place, path: Path) -> Iterator[Notice]:
        """Give what the services that are named at `path` are told by a service in `place`."""
        for name, verb in sorted(verbs.items()):
            entry = self._find(name, place, (*path, name))
            if entry is None:
                continue
            own = entry.account.name == place.account.name
            if not own and not place.privileged and entry.delegate != place.account.name:
                hint = f"`delegate: {{user: {place.account.name}}}` there gives control of it away"
                place.problems.add((*path, name), f"{place.account.name} may not control {entry.id}", hint=hint)
            word = verb if verb != "restart" else "up" if entry.one_shot else "term"
            account = entry.account.name if place.privileged and not own else None
            yield Notice(entry.id, entry.link, word, account)

    def _find(self, name: str, place: Place, path: Path) -> Entry | None:
        """Give the service that `name` means: one of the same tree, or with a slash in it an id."""
        entry = self.entries.get(name.removeprefix("/") if "/" in name else place.prefix + name)
        if entry is None:
            others = [each.removeprefix(place.prefix) for each in self.entries if each.startswith(place.prefix)]
            where = "anywhere" if "/" in name else "in this tree"
            elsewhere = [f"/{each}" if "/" not in each else each for each in self.entries]
            instances = [each for each in others if each.startswith(f"{name}_")]
            hint = f"`/{name}` is the host's" if name in self.entries else nearest(name, elsewhere if "/" in name else others)
            if instances:
                hint = f"its instances are {', '.join(instances)}"
            place.problems.add(path, f"there is no service {name!r} {where}", hint=hint)
        return entry
