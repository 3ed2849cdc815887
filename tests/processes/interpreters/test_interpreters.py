"""The installed runtime on each Python that is here: -I -S, the standard library alone, every warning an error."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import oracle

from runit_provision.errors import HostError
from runit_provision.host import interpreter, package

LIFE = Path(__file__).with_name("life.sh")
TOOL = Path(sys.executable).with_name("runit-provision")
DEBIAN_13 = Path("/usr/local/lib/debian-13")
SAID = """adopted
ok: run: it: (pid N) Ns
ok: down: it: Ns, normally up
hup 111
started
finished -1 15
started
finished -1 15
ok: ./lone: runsv not running
exit 0
> ONE
> THREE
runsvchdir: two: now current.
utmpset: fatal: unable to open /var/run/utmp: file does not exist
utmpset 111
usage: runit-init 0|6

1
0
"""


def versions() -> dict[str, str]:
    """Give every Python that can run the tools and can be found, by version: the default one, those in the usual places, pyenv's."""
    found: dict[str, str] = {}
    candidates = [Path(place) / f"python3.{minor}" for place in ("/usr/bin", "/usr/local/bin") for minor in range(11, 20)]
    candidates += sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3"))
    for candidate in [interpreter.default(), *map(str, candidates)]:
        try:
            version = interpreter.find(candidate, root=Path("/")).version
        except HostError:
            continue
        found.setdefault(f"{version[0]}.{version[1]}", candidate)
    return found


VERSIONS = versions()


def said(niceness: int) -> str:
    """Give what is said where the tests themselves have this niceness."""
    return SAID.replace("\n1\n0\n", f"\n{niceness + 1}\n0\n")


def without_utmp(text: str) -> str:
    """Leave out what is said of utmp, which one machine has and another has not."""
    return re.sub(r"utmpset: .*\n", "utmpset: ...\n", text)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_life_without_a_warning(tmp_path: Path, version: str) -> None:
    python = VERSIONS[version]
    package.install(prefix=tmp_path / "prefix", python=python)
    place = tmp_path / "place"
    place.mkdir()
    done = subprocess.run(
        ["sh", LIFE, python, tmp_path / "prefix/bin", place], capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"}
    )
    assert (without_utmp(done.stdout), done.stderr) == (without_utmp(said(os.nice(0))), "")


def test_a_shim_of_the_right_name_does_not_compile_for_an_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("root/usr/bin", "shims"):
        program = tmp_path / folder / "python3.99"
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\necho 'python3.99: command not found' >&2\nexit 127\n")
        program.chmod(0o755)
    (tmp_path / "root/usr/bin/python3").symlink_to("python3.99")
    monkeypatch.setenv("PATH", f"{tmp_path}/shims:/usr/bin:/bin")
    installed = package.install(prefix=Path("/usr/local"), root=tmp_path / "root", python="/usr/bin/python3")
    assert all((tmp_path / "root" / tool.relative_to("/")).exists() for tool in installed.tools)


IN_DEBIAN_13 = """
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --bind /dev "$1/root/dev"
"$3" runtime install --root "$1/root" --prefix /usr/local --python /usr/bin/python3 >/dev/null
cp "$4" "$1/root/life.sh"
mkdir -p "$1/root/place"
rm -f "$1/root/var/run/utmp"
exec chroot "$1/root" sh /life.sh /usr/bin/python3 /usr/local/bin /place
"""


if os.environ.get("HARNESS") == "all":

    def test_a_life_in_debian_13(tmp_path: Path) -> None:
        oracle.root("another root filesystem")
        if not (DEBIAN_13 / "usr/bin/python3.13").exists():
            oracle.absent(f"{DEBIAN_13} has no python3.13 (.ci/run --all makes it)")
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", IN_DEBIAN_13, "sh"]
        done = subprocess.run([*command, tmp_path, DEBIAN_13, TOOL, LIFE], capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == (said(os.nice(0)), "")
