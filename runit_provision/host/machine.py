"""One host, or one image: its accounts, its library, and a hand for each realm."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from runit_provision.errors import HostError, LockHeldError, NoAccountError, Problem, ProvisionError
from runit_provision.host import accounts, library, readers
from runit_provision.host.channel import Patience
from runit_provision.host.ground import Ground
from runit_provision.host.hand import HAND, Hand, LentHand, OwnHand, Request, work
from runit_provision.host.nursery import Credentials, Nursery
from runit_provision.host.observe import observe
from runit_provision.host.rooted import here
from runit_provision.model.account import Account, Coming
from runit_provision.model.observed import Journal, Manifest, Observed
from runit_provision.model.tree import Realm, RenderedTree

HANDS = 96
"""How many children with other credentials may wait for work at a time."""


class Machine:
    """What is provisioned: the running host, or the image below `root`, in which nothing is started.

    accounts: the logins that live there. place: the library's path, where decision and environment shall not choose it.
    """

    def __init__(self, root: Path = Path("/"), *, place: Path | None = None) -> None:
        self.root = root.absolute()
        self.accounts = accounts.read(self.root)
        try:
            self._root = os.open(self.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise HostError(Problem(f"cannot be used: {error.strerror}", path=str(self.root))) from error
        above, path = library.default(self.root) if place is None else (Path("/"), str(place.absolute()))
        self._above = self._root if above == self.root else os.open(above, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.library = library.Library(self._above, path)
        self._hands: OrderedDict[Realm, Hand] = OrderedDict()
        self._nursery: Nursery | None = None
        self._patience = Patience()

    @property
    def alive(self) -> bool:
        """False in an image: nothing is started or signalled there."""
        return self.root == Path("/")

    def here(self, path: str) -> str:
        """Give a path of the host as it is called here, for whom it is shown to: one of an image might else be taken for this host's.

        What is here already, and the library of one who is not root, which lies outside of the image, stays as it is.
        """
        outside = self._above != self._root and path.startswith(self.library.path)
        return path if outside else here(self.root, path)

    def placed(self, problem: Problem) -> Problem:
        """Give a problem of the host with its path as it is called here."""
        return replace(problem, path=self.here(problem.path)) if not self.alive and problem.path else problem

    def renew(self) -> None:
        """Ask again for all accounts: some were made."""
        while self._hands:
            self._hands.popitem()[1].close()
        self.accounts = accounts.read(self.root)

    def renew_if_changed(self) -> bool:
        """Ask again for all accounts when what was said of any that was asked for is another now; tell whether it is."""
        now = accounts.read(self.root)
        if all(now.ask(question) == said for question, said in self.accounts.said.items()):
            return False
        self.renew()
        return True

    def nurse(self) -> None:
        """Fork the nursery, if others' realms can be entered at all: to be done before this process has grown."""
        if os.geteuid() == 0:
            self._nurse()

    def _nurse(self) -> Nursery:
        if self._nursery is None:
            self._nursery = Nursery({HAND: work, readers.READER: readers.work})
        return self._nursery

    def hand(self, realm: Realm) -> Hand:
        """Give the hand that works in `realm`; OSError when the way to its base is not as it has to be, HostError when nobody here can
        be its account, NoAccountError when there is none.
        """
        if realm in self._hands:
            self._hands.move_to_end(realm)
            return self._hands[realm]
        while len(self._hands) >= HANDS:
            self._hands.popitem(last=False)[1].close()
        self._hands[realm] = self._lend(realm)
        return self._hands[realm]

    def ask(self, errands: Sequence[tuple[Realm, Sequence[Request]]]) -> Iterator[list[Any] | OSError | ProvisionError]:
        """Give, in order, the answers to calls in each realm that only look, or what went wrong there."""
        asked: list[readers.Errand | ProvisionError | None] = []
        for realm, calls in errands:
            try:
                account = self._stranger(realm)
                asked.append(readers.Errand(realm.base, self._credentials(account), calls) if account else None)
            except ProvisionError as error:
                asked.append(error)
        lent = [errand for errand in asked if isinstance(errand, readers.Errand)]
        # Closed here: the errors that were met hold this frame, and with it readers, longer than there is a nursery to end them.
        with closing(readers.ask(self._nurse(), self._root, lent, patience=self._patience) if lent else _none()) as found:
            for (realm, calls), errand in zip(errands, asked, strict=True):
                if errand is None:
                    answers, failed = self.hand(realm).batch(calls)
                    yield failed or answers
                else:
                    yield errand if isinstance(errand, ProvisionError) else next(found)

    def uid(self, realm: Realm) -> int:
        """Give the number of the account whose realm it is; -1 for the system's, and for one that is not there."""
        account = self.accounts.get(realm.account) if realm.account is not None else None
        return account.uid if account else -1

    def _lend(self, realm: Realm) -> Hand:
        account = self._stranger(realm)
        if account is None:
            return OwnHand(Ground(self._root, realm.base, account=None if realm.account is None else os.geteuid()))
        ground = Ground(self._root, realm.base, account=account.uid)
        return LentHand(ground, self._nurse(), self._credentials(account), patience=self._patience, held=self.library.held)

    def _stranger(self, realm: Realm) -> Account | None:
        """Give the account that somebody has to become who works in `realm`, or None; NoAccountError, HostError as for `hand`."""
        if realm.account is None:
            return None
        account = self.accounts.get(realm.account)
        if account is None:
            hint = "create it first, or correct the name"
            raise NoAccountError(Problem(f"no such account: {realm.account}", path=realm.base, hint=hint))
        if account.uid == os.geteuid():
            return None
        if os.geteuid() != 0:
            raise HostError(Problem(f"belongs to {realm.account}: only root can work there as {realm.account}", path=realm.base))
        return account

    def _credentials(self, account: Account) -> Credentials:
        return (account.uid, account.gid, tuple(self.accounts.groups(account.name)))

    def close(self) -> None:
        """End all hands and close what is open."""
        while self._hands:
            self._hands.popitem()[1].close()
        if self._nursery:
            self._nursery.close()
        self.library.close()
        if self._above != self._root:
            os.close(self._above)
        os.close(self._root)

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, HostError | LockHeldError):
            error.problems = tuple(map(self.placed, error.problems))
        self.close()

    def store(self, realm: Realm) -> int | None:
        """Give where what is replaced in `realm` is kept: a descriptor of the library's folder, or None for the realm's own."""
        return self.library.store if realm.account is None else None

    @contextmanager
    def lock(self, *, timeout: float = 0.0, command: str = "apply") -> Iterator[None]:
        """Keep every other apply away; LockHeldError (who, since when) when that takes longer than `timeout` seconds."""
        with self.library.lock(timeout=timeout, command=command):
            yield

    def _refuse_others(self, tree: RenderedTree) -> None:
        """Raise HostError when the trees of others are asked of one who is not root."""
        names = {node.realm.account: node for node in reversed(tree.nodes) if node.realm.account is not None}
        others = sorted(name for name in names if name in self.accounts and self.accounts[name].uid != os.geteuid())
        if others:
            shown = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
            hint = "`--user NAME` takes the tree of one user alone, who can do that without root"
            origin = names[others[0]].origin
            raise HostError(Problem(f"only root can work as {shown}", mark=origin.mark, key=origin.key, hint=hint))

    def observe(
        self,
        tree: RenderedTree,
        *,
        user: str | None = None,
        journal: Journal | None = None,
        manifest: Manifest | None = None,
        coming: Coming | None = None,
    ) -> Observed:
        """Look at everything that `tree` or the library speaks of; writes nothing. HostError with every problem.

        user: look at this account's realms alone. journal: look at what this one speaks of, not at what was left unfinished. manifest:
        what the library remembers, where it was asked already. coming: accounts that are made before anything else.
        """
        coming = coming or Coming()
        if os.geteuid() != 0 and user is None:
            self._refuse_others(tree)
        return observe(
            tree,
            ask=self.ask,
            number=lambda realm, owner: accounts.number(self.accounts, realm, owner, coming),
            coming=coming.logins,
            manifest=manifest or self.library.manifest(),
            journal=journal or self.library.journal(),
            user=user,
            alive=self.alive,
            store=self.store if journal else None,
        )


def _none() -> Generator[readers.Found, None, None]:
    yield from ()
