"""A package as it is installed here, made a .deb again with its own scripts, and a root directory whose dpkg knows it as installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from support import oracle

_SCRIPTS = ("preinst", "postinst", "prerm", "postrm", "triggers")


def repacked(package: str, folder: Path) -> Path:
    """Make the .deb of an installed package in `folder`."""
    oracle.program("dpkg-deb", package="dpkg")
    tree = folder / package
    (tree / "DEBIAN").mkdir(parents=True)
    # Beside what stood in the package dpkg tells how it is, and which of its files are configuration.
    said = re.sub(r"(?m)^Status: .*\n", "", _said("dpkg-query", "--status", package))
    configuration = "".join(re.findall(r"(?m)^Conffiles:\n((?: .*\n)*)", said))
    (tree / "DEBIAN/control").write_text(re.sub(r"(?m)^Conffiles:\n(?: .*\n)*", "", said))
    (tree / "DEBIAN/conffiles").write_text("".join(f"{line.split()[0]}\n" for line in configuration.splitlines()))
    for script in _SCRIPTS:
        if (found := Path(f"/var/lib/dpkg/info/{package}.{script}")).exists():
            shutil.copy2(found, tree / "DEBIAN" / script)
    for line in _said("dpkg-query", "--listfiles", package).splitlines():
        there = tree / line.lstrip("/")
        if Path(line).is_dir():  # /lib is a link here, and a directory in the package
            there.mkdir(parents=True, exist_ok=True)
        elif os.path.lexists(line):
            shutil.copy2(line, there, follow_symlinks=False)
    made = folder / f"{package}.deb"
    subprocess.run(["dpkg-deb", "--build", "-Znone", "--root-owner-group", tree, made], check=True, capture_output=True)
    return made


def known(deb: Path, root: Path) -> None:
    """Let the dpkg of `root` know the package as installed, and nothing else."""
    database = root / "var/lib/dpkg"
    for folder in ("updates", "triggers"):
        (database / folder).mkdir(parents=True)
    (database / "available").touch()
    (root / "var/cache/debconf").mkdir(parents=True)
    shutil.copy("/etc/debconf.conf", root / "etc")
    field = _said("dpkg-deb", "--field", str(deb))
    (database / "status").write_text(f"{field.rstrip()}\nStatus: install ok installed\n\n")
    package = _said("dpkg-deb", "--field", str(deb), "Package").strip()
    subprocess.run(["dpkg-deb", "--control", deb, database / "info"], check=True)
    for file in (database / "info").iterdir():
        file.rename(file.with_name(f"{package}.{file.name}"))
    files = [line.split(maxsplit=5)[5].split(" -> ")[0] for line in _said("dpkg-deb", "--contents", str(deb)).splitlines()]
    (database / f"info/{package}.list").write_text("".join(f"{name.removeprefix('.').rstrip('/') or '/.'}\n" for name in files))


def _said(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout
