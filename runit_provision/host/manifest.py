"""What an installation consists of: a list that sha256sum(1) checks, and the folders that were made for it.

`DIGEST  path` for each file, `# made path` for each folder. A path stands twice, with the old and the new digest, from before its
file is renewed until after, so that whatever is cut off at any moment leaves no file that nobody knows.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_MADE = "# made "


@dataclass(slots=True)
class Manifest:
    """place: what all paths are relative to. digests: of each file, all that it may have now. made: folders, outermost first."""

    place: Path
    digests: dict[str, set[str]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, file: Path, *, place: Path) -> Manifest:
        """Read the list; empty when `file` does not exist."""
        manifest = cls(place)
        for line in (read(file) or b"").decode().splitlines():
            if line.startswith(_MADE):
                manifest.made.append(line.removeprefix(_MADE))
            else:
                digest, _, path = line.partition("  ")
                manifest.digests.setdefault(path, set()).add(digest)
        return manifest

    def write(self, file: Path) -> None:
        """Replace `file` at once and for good."""
        lines = [f"{_MADE}{path}\n" for path in self.made]
        lines += [f"{digest}  {path}\n" for path in sorted(self.digests) for digest in sorted(self.digests[path])]
        replace(file, "".join(lines).encode(), mode=0o644)

    def expect(self, digests: Mapping[str, str]) -> None:
        """Let each path have the given digest too."""
        for path, digest in digests.items():
            self.digests.setdefault(path, set()).add(digest)

    def settle(self, digests: Mapping[str, str]) -> None:
        """Let each path have the given digest only, and forget the files that are no more."""
        self.digests = {path: found for path, found in self.digests.items() if (self.place / path).exists()}
        self.digests |= {path: {digest} for path, digest in digests.items()}

    def holds(self, path: str) -> bool:
        """True when the file is here as it was laid."""
        file = self.place / path
        return not file.is_symlink() and digest_of(file) in self.digests.get(path, set())

    def make_folder(self, folder: Path) -> None:
        """Make `folder` and what is missing above it, for all to read whatever the umask is, and remember what was made."""
        for each in [*reversed(folder.parents), folder]:
            with suppress(FileExistsError):
                each.mkdir()
                each.chmod(0o755)
                self.made.append(os.path.relpath(each, self.place))

    def remove_folders(self) -> None:
        """Remove the folders that were made for this and are empty."""
        for path in reversed(self.made):
            with suppress(OSError):
                (self.place / path).rmdir()


def digest(content: bytes) -> str:
    """Give the SHA-256 of `content` in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def digest_of(file: Path) -> str | None:
    """Give the digest of a file, or None when it is not there."""
    content = read(file)
    return None if content is None else digest(content)


def read(file: Path) -> bytes | None:
    """Give the contents of a file, or None when it is not there."""
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def write(file: Path, content: bytes, *, mode: int) -> None:
    """Write a new file, on disk before this returns; one that was left in its place by a crash goes first."""
    file.unlink(missing_ok=True)
    with file.open("xb") as new:
        new.write(content)
        os.fchmod(new.fileno(), mode)
        os.fsync(new.fileno())


def replace(file: Path, content: bytes, *, mode: int) -> None:
    """Let `file` have `content` at once: a reader sees the old or the new, never a part."""
    new = beside(file)
    write(new, content, mode=mode)
    new.replace(file)


def beside(file: Path) -> Path:
    """Give the name under which the next version of `file` is written before it is renamed."""
    return file.with_name(f".{file.name}.new")


def remove(files: Iterable[Path]) -> list[Path]:
    """Remove the files that are there, and give them."""
    removed = []
    for file in files:
        with suppress(FileNotFoundError):
            file.unlink()
            removed.append(file)
    return removed
