"""The shipped runtime to compare with: its files as the wheel holds them, and whether they all lie on a host. Reads only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from runit_provision import runtime
from runit_provision.host import manifest as files
from runit_provision.host.manifest import Manifest
from runit_provision.host.rooted import folder_on_host

TOOLS = {
    "runsvdir": "runsvdir",
    "runsv": "runsv",
    "sv": "sv",
    "svlogd": "svlogd",
    "chpst": "chpst",
    "rsvlog": "rsvlog",
    "nsvlog": "rsvlog",
    "runsvchdir": "runsvchdir",
    "utmpset": "utmpset",
    "runit-init": "runit_init",
}
"""Each tool's name and the module of runtime.cli that is its main program."""
BRIEF = ("chpst", "runsvchdir", "sv", "utmpset")
"""The modules of those that end soon, which read all that they import from one file (runtime/bundle.py)."""

LIBRARY = "lib/runit-provision"
MANIFEST = f"{LIBRARY}/manifest"
CURRENT = f"{LIBRARY}/current"
"""Below the prefix."""


def is_installed(*, prefix: Path, root: Path = Path("/")) -> bool:
    """True when the runtime of this very version lies whole under `root`/`prefix`; reads only."""
    place = folder_on_host(root, prefix)
    link = place / CURRENT
    manifest = Manifest.read(place / MANIFEST, place=place)
    return (
        link.is_symlink() and is_intact(manifest, os.readlink(link), sources()) and all(manifest.holds(f"bin/{name}") for name in TOOLS)
    )


def sources() -> dict[str, bytes]:
    """Give the runtime's files as the wheel holds them, and the package above it, which has nothing in it."""
    folder = Path(runtime.__file__).parent
    found = {f"runit_provision/runtime/{file.relative_to(folder)}": file.read_bytes() for file in folder.rglob("*.py")}
    return {"runit_provision/__init__.py": b"", **found}


def is_intact(manifest: Manifest, version: str, sources: Mapping[str, bytes]) -> bool:
    """True when the version's folder holds exactly `sources`, and all that was laid in it is as it was laid."""
    folder = f"{LIBRARY}/{version}/"
    ours = [path for path in manifest.digests if path.startswith(folder)]
    laid = {path.removeprefix(folder) for path in ours if path.endswith(".py")}
    same = all(files.read(manifest.place / folder / path) == content for path, content in sources.items())
    return laid == set(sources) and same and all(manifest.holds(path) for path in ours)
