"""What the last apply has made on a host, as a test asks about it: its manifest, read where it lies."""

from __future__ import annotations

import time

from runit_provision.errors import HostError, Problem
from runit_provision.host.records import load_manifest
from runit_provision.model.observed import Kind, Manifest
from runit_provision.verify import expect
from runit_provision.verify.looking import Place
from runit_provision.verify.target import Target

MANIFEST = "/var/lib/runit-provision/manifest.json"
OF_USER = ".local/state/runit-provision/apply/manifest.json"
"""In the home of who applied without root; library.py."""
_PLACES = (MANIFEST, OF_USER)
_CHOOSE = '[ "$(id -u)" = 0 ] || [ ! -e "$HOME/$2" ] || set -- "$HOME/$2"; '
"""Let $1 be the one of who is connected, where there is one."""
_POLL = 0.5
_SOME = 200
"""Files in one command."""
_DIGESTS = """timeout 30 sha256sum -- "$@" 2>/dev/null
echo "asked $?"
for file; do
  [ ! -f "$file" ] || [ -r "$file" ] || printf 'closed %s\\n' "$file"
done"""
"""The digests of files; that all of them were asked for, which is 1 where some are gone; and those that may not be read."""
_ASKED = {"124": "it took more than 30 s", "126": "there is no sha256sum", "127": "there is no timeout or sha256sum"}


class Applied:
    """The manifest of a host, which root alone may read (`--sudo`), else of the account that is connected. Each property looks anew."""

    def __init__(self, target: Target) -> None:
        self._target = target

    @property
    def exists(self) -> bool:
        """True when an apply was done there."""
        return self._target.shell(_CHOOSE + '[ -e "$1" ]', *_PLACES).rc == 0

    @property
    def services(self) -> tuple[str, ...]:
        """The ids of all services that apply has made, sorted."""
        return tuple(sorted(self._read().services))

    @property
    def drift(self) -> tuple[str, ...]:
        """The files that are not as apply left them, or are gone, sorted. Those in homes are read as the users whose they are.

        HostError when some could not be looked at.
        """
        wanted: dict[str | None, dict[str, str]] = {}
        for path, record in self._read().records.items():
            if record.seen.kind is Kind.FILE:
                wanted.setdefault(record.realm.account, {})[path] = record.seen.digest
        found = {path for account, files in wanted.items() for path in self._differing(files, account or "")}
        return tuple(sorted(found))

    def faults(self, *, within: float = 30.0) -> tuple[str, ...]:
        """Give what is not so of what the data promised of each service, a line each, once all is so or `within` seconds are over.

        What no time will mend, as a service that gave up, is not waited for.
        """
        manifest = self._read()
        services = list(manifest.services.values())
        places = {service.id: Place.of(service) for service in services}
        checked = expect.checked(services, manifest.records)
        end = time.monotonic() + within
        while True:
            lives = self._target.look(places, lines=1, checked=checked)
            broken = [finding for finding in expect.findings(services, lives, checked=checked) if not finding.kept]
            if all(finding.final for finding in broken) or time.monotonic() > end:
                return tuple(f"{finding.service}: should be {finding.promise}: {finding.fault}" for finding in broken)
            time.sleep(_POLL)

    def __repr__(self) -> str:
        return f"<manifest of {len(self.services)} services>" if self.exists else "<no manifest: apply was never done there>"

    def _read(self) -> Manifest:
        answer = self._target.shell(_CHOOSE + 'cat -- "$1"', *_PLACES)
        if answer.rc != 0:
            hint = "connect as root (--sudo), or as who applied without root, to a host on which apply was done"
            raise HostError(Problem(f"cannot be read: {answer.stderr.strip()}", path=MANIFEST, hint=hint))
        return load_manifest(answer.stdout.encode())

    def _differing(self, files: dict[str, str], account: str) -> set[str]:
        paths = list(files)
        left = dict(files)
        for start in range(0, len(paths), _SOME):
            answer = self._target.shell(_DIGESTS, *paths[start : start + _SOME], account=account)
            digests, asked, rest = f"\n{answer.stdout}".partition("\nasked ")
            status, _, closed = rest.partition("\n")
            if not asked or status not in ("0", "1") or closed:
                reason = (
                    closed.split("\n")[0] or _ASKED.get(status, "") or answer.stderr.strip() or f"exit status {status or answer.rc}"
                )
                who = f"as {account}" if account else "as the one who is connected"
                raise HostError(Problem(f"what apply made could not be read {who}: {reason}", path=paths[start]))
            for line in digests.splitlines():
                digest, _, path = _plain(line).partition("  ")
                if left.get(path) == digest:
                    del left[path]
        return set(left)


def _plain(line: str) -> str:
    """Undo what sha256sum(1) does to a name with a newline or a backslash in it."""
    if not line.startswith("\\"):
        return line
    return line[1:].replace("\\\\", "\0").replace("\\n", "\n").replace("\0", "\\")
