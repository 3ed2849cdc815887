"""The shipped runtime, laid on a host: a byte-compiled copy that needs nothing but the system's python3.

PREFIX/lib/runit-provision/VERSION/runit_provision/runtime/...
PREFIX/lib/runit-provision/VERSION/TOOL.cpython-NNN.bundle      of a tool that ends soon, all that it imports
PREFIX/lib/runit-provision/current -> VERSION
PREFIX/lib/runit-provision/manifest           every file of ours; `cd PREFIX; sha256sum -c` checks it
PREFIX/bin/{runsvdir,runsv,sv,svlogd,chpst,...}

The tools find their version through `current`, so one rename changes all of them at once and there is no moment without working
tools. A version that was laid is never written again: other contents under the same number get a folder of their own beside it,
because a supervisor that runs may still import from the old one. The manifest is written before what it names, and is what `remove`
believes: what is not in it, or was changed since, is not ours and stays.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path, PurePosixPath

from runit_provision.errors import HostError, LockHeldError, Problem
from runit_provision.host import bytecode, locks
from runit_provision.host import manifest as files
from runit_provision.host.interpreter import OLDEST, PYTHON, Interpreter, dotted, find
from runit_provision.host.manifest import Manifest
from runit_provision.host.rooted import as_host, folder_on_host
from runit_provision.host.shipped import BRIEF, CURRENT, LIBRARY, MANIFEST, TOOLS, is_intact, sources
from runit_provision.host.trust import doubts
from runit_provision.runtime import VERSION

Say = Callable[[str], None]
_SILENTLY: Say = lambda _text: None  # noqa: E731 - a default
_PATIENCE = 300.0
"""Seconds to wait for another install or remove: with a trial it takes a minute at most."""
_PREFIX_MAX = 200
"""Bytes: wire/pool.py's NAME_MAX, less what lies in between and the version's name."""
_LAUNCHER = """#!{python} -IS
# Laid by `runit-provision runtime install`; `runit-provision runtime remove` takes it back.
{marshal}import posix
import sys

if sys.version_info < {oldest}:
    sys.exit("%s needs Python {dotted} or later; {python} is Python %d.%d" % (sys.argv[0], *sys.version_info[:2]))
library = {library!r} + posix.readlink({current!r})
sys.path.insert(0, library)
{bundle}from runit_provision.runtime.cli.{module} import main

posix._exit(main(sys.argv))
"""
"""The version is asked again here: what `python3` leads to, a distribution's alternatives may change. An old one has to read this."""
_FROM_BUNDLE = """try:
    with open("%s/{module}.%s.bundle" % (library, sys.implementation.cache_tag), "rb") as file:
        names = {{}}
        exec(marshal.load(file), names)
        names["use"](library, marshal.load(file))
except (OSError, EOFError, ValueError, TypeError):
    pass  # another Python has compiled it, or a disk that was full: module by module, then
"""
_TRIAL = """
import sys
sys.path.insert(0, sys.argv[1])
from runit_provision.runtime.shell.supervisor import trial
trial.main(sys.argv)
"""
_CLEAN = """
import sys
sys.path.insert(0, sys.argv[1])
from runit_provision.runtime.shell.supervisor import trial
trial.clean(sys.argv[2])
"""
"""What is left of a trial that was itself killed."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What `install` did: the tools' paths, the name of the version's folder, and whether anything had to be written."""

    tools: tuple[Path, ...]
    version: str
    changed: bool


def install(*, prefix: Path, root: Path = Path("/"), python: str = PYTHON, tried: bool = False, say: Say = _SILENTLY) -> Installed:
    """Lay the runtime under `root`/`prefix`. Doing it again changes nothing, or renews it without a moment's gap.

    tried: a version proves itself before tools run it (trial.py): HostError tells why it did not, and the old one stays.
    say: told when another install or remove is waited for; LockHeldError when that goes on for too long.

    Raises HostError, before anything is written, when a tool's name is taken by a file that did not come from here, when `prefix` is
    too long or cannot be written, or by another than root who installs, or when `python` (a path of the host's) cannot run the tools.
    """
    interpreter = find(python, root=root)
    if problems := [*_too_long(prefix), *doubts(prefix, root=root)]:
        raise HostError(*problems)
    place = folder_on_host(root, prefix)
    launchers = {f"bin/{name}": _launcher(prefix, interpreter, module) for name, module in TOOLS.items()}
    tools = tuple(prefix / path for path in launchers)
    expected = {path: files.digest(content) for path, content in launchers.items()}
    with _host_errors():
        modules = sources()
        manifest = Manifest.read(place / MANIFEST, place=place)
        version, laid = _choose_version(manifest, modules, interpreter)
        if laid and _is_current(manifest, version, expected):
            return Installed(tools, version, changed=False)  # without a lock, for which a place may be needed that can be written
    with _host_errors(), _opened(place, say) as manifest:
        _refuse_foreign(manifest, launchers)
        version, laid = _choose_version(manifest, modules, interpreter)
        if laid and _is_current(manifest, version, expected):
            return Installed(tools, version, changed=False)
        fresh = not manifest.digests
        try:
            if not laid:
                expected |= _lay_version(manifest, version, interpreter, prefix)
            if tried:
                _try_out(place, version, interpreter)
            manifest.expect(expected)
            manifest.write(place / MANIFEST)
            _switch(place / CURRENT, version)
            _lay_tools(manifest, launchers)
        except BaseException:
            if fresh:
                _take_back(manifest)
            raise
        manifest.settle(expected)
        manifest.write(place / MANIFEST)
    return Installed(tools, version, changed=True)


def remove(*, prefix: Path, root: Path = Path("/"), say: Say = _SILENTLY) -> list[Path]:
    """Take back what `install` laid under `root`/`prefix`; give the files that were removed, none when nothing was installed.

    Raises HostError naming each file that was changed since, which stays, after all the rest is gone. say: as for `install`.
    """
    place = folder_on_host(root, prefix)
    if not (place / MANIFEST).exists():
        return []
    with _host_errors(), _opened(place, say) as manifest:
        return [Path(as_host(root, path)) for path in _take_back(manifest)]


@contextmanager
def _opened(place: Path, say: Say) -> Iterator[Manifest]:
    """Give the installation's manifest while no other install or remove runs; folders made for nothing go again."""
    manifest = Manifest.read(place / MANIFEST, place=place)
    path = place / LIBRARY / "lock"
    while True:
        manifest.make_folder(path.parent)
        with suppress(FileNotFoundError):
            descriptor = _locked(path, say)
            if os.fstat(descriptor).st_nlink:
                break
            os.close(descriptor)  # the one before has taken it away
    held = Manifest.read(place / MANIFEST, place=place)
    held.made = held.made or manifest.made
    try:
        yield held
    finally:
        path.unlink(missing_ok=True)
        if not (place / MANIFEST).exists():
            held.remove_folders()
        os.close(descriptor)


def _locked(path: Path, say: Say) -> int:
    """Open a file that only its owner can, and lock it: whoever reads a file or folder can lock it, flock(2)."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def holder() -> str:
        return locks.locker(descriptor) or "somebody"

    if locks.take(descriptor, _PATIENCE, lambda: say(f"{path}: held by {holder()}; waiting until that is done")):
        return descriptor
    problem = Problem(f"held by {holder()} for more than {_PATIENCE:.0f} s", path=str(path), hint="wait until that is done")
    os.close(descriptor)
    raise LockHeldError(problem)


def _too_long(prefix: Path) -> Iterator[Problem]:
    """A supervisor tells keeper and pools in one record where the next version lies."""
    if len(os.fsencode(prefix)) > _PREFIX_MAX:
        yield Problem(f"the prefix is longer than {_PREFIX_MAX} bytes", path=str(prefix), hint="give another --prefix")


def _refuse_foreign(manifest: Manifest, launchers: Mapping[str, bytes]) -> None:
    foreign = [manifest.place / path for path in launchers if os.path.lexists(manifest.place / path) and not manifest.holds(path)]
    if foreign:
        message = "a file that runit-provision did not install is in the way"
        raise HostError(*(Problem(message, path=str(file), hint="give another --prefix, or move it away") for file in foreign))


def _choose_version(manifest: Manifest, sources: Mapping[str, bytes], interpreter: Interpreter) -> tuple[str, bool]:
    """Give the folder's name, and whether it is laid already.

    It is the version's number; where that folder holds other contents (an edited file, another interpreter's bytecode), the number
    with the contents' digest behind it, and a number behind that where even this was spoilt.
    """
    contents = files.digest(repr(sorted(sources.items())).encode())[:8]
    for spoilt in count(-1):
        version = VERSION if spoilt < 0 else f"{VERSION}-{contents}" + f".{spoilt}" * bool(spoilt)
        folder = f"{LIBRARY}/{version}/"
        if not (manifest.place / folder).exists():
            return version, False
        bytecode = f".cpython-{interpreter.version[0]}{interpreter.version[1]}.pyc"
        compiled = any(path.startswith(folder) and path.endswith(bytecode) for path in manifest.digests)
        if is_intact(manifest, version, sources) and (compiled or not interpreter.compiler):
            return version, True
    raise AssertionError("count never ends")


def _is_current(manifest: Manifest, version: str, launchers: Mapping[str, str]) -> bool:
    """True when `current` leads to `version`, and each tool is as it would be written."""
    link = manifest.place / CURRENT
    return (
        link.is_symlink()
        and os.readlink(link) == version
        and all(manifest.digests.get(path) == {digest} for path, digest in launchers.items())
        and all(manifest.holds(path) and os.access(manifest.place / path, os.X_OK) for path in launchers)
    )


def _launcher(prefix: Path, interpreter: Interpreter, module: str) -> bytes:
    library, current = f"{prefix / LIBRARY}/", str(prefix / CURRENT)
    words = {"python": interpreter.path, "module": module, "oldest": OLDEST, "dotted": dotted(OLDEST), "marshal": "", "bundle": ""}
    if module in BRIEF:
        words |= {"marshal": "import marshal\n", "bundle": _FROM_BUNDLE.format(module=module)}
    return _LAUNCHER.format(library=library, current=current, **words).encode()


def _lay_version(manifest: Manifest, version: str, interpreter: Interpreter, prefix: Path) -> dict[str, str]:
    """Build the version beside its place, compile it, make it known, and rename it there; give the digests of its files."""
    folder = manifest.place / LIBRARY / version
    staged = files.beside(folder)
    shutil.rmtree(staged, ignore_errors=True)
    for path, content in sources().items():
        (staged / path).parent.mkdir(parents=True, exist_ok=True)
        files.write(staged / path, content, mode=0o644)
    if interpreter.compiler:
        command = [interpreter.compiler, "-I", "-X", "no_debug_ranges", bytecode.__file__]
        subprocess.run(
            [*command, str(staged), str(prefix / LIBRARY / version), *BRIEF],
            check=True,
            start_new_session=True,  # Ctrl-C is for us to answer, not for both
        )
    laid: dict[str, str] = {}
    for name, _, names in os.walk(staged):
        os.chmod(name, 0o755)
        for file in (Path(name, each) for each in names):
            file.chmod(0o644)
            laid[f"{LIBRARY}/{version}/{file.relative_to(staged)}"] = files.digest(file.read_bytes())
    manifest.expect(laid)
    manifest.write(manifest.place / MANIFEST)
    staged.rename(folder)
    return laid


def _try_out(place: Path, version: str, interpreter: Interpreter) -> None:
    python, library = [interpreter.path, "-IS", "-c"], str(place / LIBRARY / version)
    with tempfile.TemporaryDirectory(prefix="runit-provision-") as scratch:
        there = f"{scratch}/trial"
        words = [*python, _TRIAL, library, there, str(place / "bin/rsvlog")]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode < 0:
            subprocess.run([*python, _CLEAN, library, there], capture_output=True, check=False)
    if done.returncode:
        ended = f"signal {-done.returncode} ended the trial" if done.returncode < 0 else f"exit status {done.returncode}"
        reason = done.stdout or (done.stderr.strip().splitlines() or [ended])[-1]
        message = f"version {version} did not prove itself, and is not taken: {reason}"
        raise HostError(Problem(message, path=str(place / LIBRARY / version)))


def _switch(link: Path, target: str) -> None:
    new = files.beside(link)
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)


def _lay_tools(manifest: Manifest, launchers: Mapping[str, bytes]) -> None:
    """Write all beside their places first, so that a full disk is met before the first is changed."""
    manifest.make_folder(manifest.place / "bin")
    tools = {manifest.place / path: content for path, content in launchers.items()}
    try:
        for tool, content in tools.items():
            files.write(files.beside(tool), content, mode=0o755)
        for tool in tools:
            files.beside(tool).replace(tool)
    finally:
        files.remove(map(files.beside, tools))


def _take_back(manifest: Manifest) -> list[Path]:
    """Remove every file that is as it was laid, the tools first: none may be left without the library that it imports."""
    place = manifest.place
    changed = [path for path in manifest.digests if os.path.lexists(place / path) and not manifest.holds(path)]
    ours = sorted((path for path in manifest.digests if path not in changed), key=lambda path: not path.startswith("bin/"))
    removed = files.remove(place / path for path in ours)
    versions = {PurePosixPath(path).parts[2] for path in ours if path.startswith(f"{LIBRARY}/")}
    for version in versions:
        _remove_leftovers(place / LIBRARY / version)
    files.remove(files.beside(place / path) for path in (*ours, CURRENT, MANIFEST))
    if changed:
        message, hint = "changed since it was installed, so it stays", "remove it yourself if nobody needs it"
        raise HostError(*(Problem(message, path=str(place / path), hint=hint) for path in changed))
    files.remove([place / CURRENT, place / MANIFEST])
    return removed


def _remove_leftovers(folder: Path) -> None:
    """Remove what a version has outside the manifest: a copy that was cut off, and bytecode that python cached itself."""
    shutil.rmtree(files.beside(folder), ignore_errors=True)
    for name, _, _ in os.walk(folder, topdown=False):
        if Path(name).name == "__pycache__":
            files.remove(Path(name).glob("*.pyc"))
        if not os.listdir(name):
            os.rmdir(name)


@contextmanager
def _host_errors() -> Iterator[None]:
    """Tell of what fails with its path."""
    try:
        yield
    except OSError as error:
        path = str(error.filename or "")
        raise HostError(Problem(error.strerror or str(error), path=path, hint="can the prefix be written?")) from error
    except subprocess.CalledProcessError as error:
        raise HostError(Problem("the interpreter could not compile the runtime", path=str(error.cmd[0]))) from error
