"""The shipped runtime, laid on a host: a byte-compiled copy that needs nothing but the system's python3.

PREFIX/lib/runit-provision/VERSION/runit_provision/runtime/...
PREFIX/lib/runit-provision/current -> VERSION
PREFIX/bin/{runsvdir,runsv,sv,svlogd,chpst,...}
"""

from __future__ import annotations

import compileall
import os
import py_compile
import shutil
from importlib import metadata, resources
from pathlib import Path

from runit_provision.errors import HostError, Problem

PYTHON = "/usr/bin/python3"
_MARKER = "# Installed by runit-provision; `runit-provision runtime remove` takes it back."
_LAUNCHER = """#!{python} -IS
{marker}
import sys

sys.path.insert(0, {library!r})
from runit_provision.runtime.cli.{module} import main

sys.exit(main(sys.argv))
"""
TOOLS = {
    "runsvdir": "runsvdir",
    "runsv": "runsv",
    "sv": "sv",
    "svlogd": "svlogd",
    "chpst": "chpst",
    "rsvlog": "rsvlog",
    "nsvlog": "rsvlog",
}
"""Each tool's name and the module of runtime.cli that is its main program."""


def install(*, prefix: Path, root: Path = Path("/"), python: str = PYTHON) -> list[Path]:
    """Lay the runtime under `root`/`prefix`; give the tools' paths.

    Raises HostError, before anything is written, when a tool's name is taken by a file that did not come from here.
    """
    version = metadata.version("runit-provision")
    library = prefix / "lib" / "runit-provision"
    on_host = _beneath(root, library)
    binaries = _beneath(root, prefix / "bin")
    tools = [binaries / name for name in TOOLS]
    foreign = [tool for tool in tools if os.path.lexists(tool) and not _is_ours(tool)]
    if foreign:
        hint = "give another --prefix"
        raise HostError(
            *(Problem("a file that runit-provision did not install is in the way", path=str(tool), hint=hint) for tool in foreign)
        )
    _copy(on_host / version)
    _link(on_host / "current", version)
    binaries.mkdir(parents=True, exist_ok=True)
    for name, module in TOOLS.items():
        text = _LAUNCHER.format(python=python, marker=_MARKER, library=str(library / "current"), module=module)
        _replace(binaries / name, text.encode(), mode=0o755)
    return tools


def _beneath(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _is_ours(tool: Path) -> bool:
    try:
        return _MARKER.encode() in tool.read_bytes()
    except OSError:
        return False


def _copy(target: Path) -> None:
    package = target / "runit_provision"
    shutil.rmtree(target, ignore_errors=True)
    package.mkdir(parents=True)
    with resources.as_file(resources.files("runit_provision") / "runtime") as source:
        shutil.copytree(source, package / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").touch()
    compileall.compile_dir(target, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)


def _link(link: Path, target: str) -> None:
    new = link.with_name(f".{link.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)


def _replace(path: Path, content: bytes, *, mode: int) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(content)
    new.chmod(mode)
    new.replace(path)
