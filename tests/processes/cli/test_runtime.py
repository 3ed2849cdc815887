"""`runit-provision runtime install | remove`"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import oracle
from support.command import runit_provision
from support.image import snapshot, systemd_image
from support.locked import locked

from runit_provision.errors import LockHeldError
from runit_provision.host import package, shipped
from runit_provision.runtime import VERSION


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return tmp_path / "prefix"


@pytest.fixture
def python() -> str:
    from runit_provision.host.interpreter import default

    return default()


def install(prefix: Path, python: str, *more: object) -> None:
    result = runit_provision("runtime", "install", "--prefix", prefix, "--python", python, *more)
    assert (result.status, result.err) == (0, "")


def identities(folder: Path) -> dict[Path, tuple[int, int]]:
    """Give inode and time of change of everything below."""
    return {path: (path.lstat().st_ino, path.lstat().st_ctime_ns) for path in folder.rglob("*")}


def test_what_install_laid_remove_takes_back(prefix: Path, python: str) -> None:
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin/other").write_text("somebody's\n")
    before = snapshot(prefix)
    install(prefix, python)
    assert {path.name for path in (prefix / "bin").iterdir()} == {*shipped.TOOLS, "other"}
    assert runit_provision("runtime", "remove", "--prefix", prefix).status == 0
    assert snapshot(prefix) == before
    assert runit_provision("runtime", "remove", "--prefix", prefix).out.endswith("nothing to do\n")


def test_a_prefix_that_is_too_long_for_an_upgrade_is_refused(tmp_path: Path, python: str) -> None:
    prefix = tmp_path / ("long" * 30) / ("long" * 30)
    result = runit_provision("runtime", "install", "--prefix", prefix, "--python", python)
    assert (result.status, result.err) == (1, f"{prefix}: the prefix is longer than 200 bytes; give another --prefix\n1 problem\n")
    assert list(tmp_path.iterdir()) == []


def test_a_prefix_that_was_made_goes_again(prefix: Path, python: str) -> None:
    install(prefix, python)
    assert runit_provision("runtime", "remove", "--prefix", prefix).status == 0
    assert not prefix.exists()


def test_installing_again_changes_nothing(prefix: Path, python: str) -> None:
    install(prefix, python)
    before = identities(prefix)
    result = runit_provision("runtime", "install", "--prefix", prefix, "--python", python)
    assert (result.status, "nothing to do" in result.out) == (0, True)
    assert identities(prefix) == before


def test_sha256sum_checks_the_manifest(prefix: Path, python: str) -> None:
    install(prefix, python)
    check = ["sha256sum", "--check", "--strict", "--quiet", "lib/runit-provision/manifest"]
    assert subprocess.run(check, cwd=prefix, check=False).returncode == 0


def test_every_module_is_byte_compiled_and_all_can_read_it_whatever_the_umask(prefix: Path, python: str) -> None:
    old = os.umask(0o077)
    try:
        install(prefix, python)
    finally:
        os.umask(old)
    library = prefix / "lib/runit-provision/current/runit_provision"
    for source in library.rglob("*.py"):
        assert list((source.parent / "__pycache__").glob(f"{source.stem}.cpython-*.pyc")), source
    for path in [prefix, *prefix.rglob("*")]:
        if not path.is_symlink():
            assert path.stat().st_mode & 0o444 == 0o444, path
            assert not path.is_dir() or path.stat().st_mode & 0o111 == 0o111, path


def said(tool: Path, *words: str) -> tuple[int, str, str]:
    """Give exit status, standard output and standard error of a tool."""
    done = subprocess.run([tool, *words], capture_output=True, check=False, text=True)
    return done.returncode, done.stdout, done.stderr


BRIEF = [("sv", "status", "/nowhere"), ("chpst", "-e", "/nowhere", "true"), ("runsvchdir", "../nowhere"), ("utmpset", "-w")]


def test_a_tool_that_ends_soon_finds_all_its_modules_in_one_file(prefix: Path, python: str) -> None:
    install(prefix, python)
    assert {Path(words[0]).name for words in BRIEF} == set(shipped.BRIEF)
    before = [said(prefix / "bin" / tool, *words) for tool, *words in BRIEF]
    modules = prefix / "lib/runit-provision/current/runit_provision"
    modules.rename(modules.with_name("elsewhere"))
    assert [said(prefix / "bin" / tool, *words) for tool, *words in BRIEF] == before
    assert all(err and "Traceback" not in err + out for _, out, err in before[1:])


@pytest.mark.parametrize("left", [None, 0, 100, 9000])
def test_where_that_file_is_missing_or_cut_off_each_module_is_found_by_itself(prefix: Path, python: str, left: int | None) -> None:
    install(prefix, python)
    before = [said(prefix / "bin" / tool, *words) for tool, *words in BRIEF]
    bundles = [*(prefix / "lib/runit-provision/current").resolve().glob("*.bundle")]
    assert len(bundles) == len(BRIEF)
    for bundle in bundles:
        if left is None:
            bundle.unlink()
        else:
            os.truncate(bundle, left)
    assert [said(prefix / "bin" / tool, *words) for tool, *words in BRIEF] == before


def test_a_strangers_tool_is_never_overwritten_and_nothing_else_is_laid(prefix: Path, python: str) -> None:
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin/sv").write_text("#!/bin/sh\n# Laid by `runit-provision runtime install`, says a liar\n")
    (prefix / "bin/chpst").symlink_to("/nowhere")
    before = snapshot(prefix)
    result = runit_provision("runtime", "install", "--prefix", prefix, "--python", python)
    assert result.status == 1
    assert [line.split(":")[0] for line in result.err.splitlines()] == [f"{prefix}/bin/sv", f"{prefix}/bin/chpst", "2 problems"]
    assert snapshot(prefix) == before


def test_a_tool_edited_by_hand_is_left_and_said(prefix: Path, python: str) -> None:
    install(prefix, python)
    with (prefix / "bin/sv").open("a") as tool:
        tool.write("# mine now\n")
    assert "bin/sv" in runit_provision("runtime", "install", "--prefix", prefix, "--python", python).err
    result = runit_provision("runtime", "remove", "--prefix", prefix)
    assert (result.status, result.err.splitlines()[0].split(":")[0]) == (1, f"{prefix}/bin/sv")
    assert [path.name for path in (prefix / "bin").iterdir()] == ["sv"]


def test_a_damaged_library_is_renewed_beside_and_all_of_it_comes_off(prefix: Path, python: str) -> None:
    install(prefix, python)
    library = prefix / "lib/runit-provision"
    damaged = (library / "current/runit_provision/runtime/wire/status.py").resolve()
    damaged.write_text("raise SystemExit\n")
    install(prefix, python)
    assert (library / "current/runit_provision/runtime/wire/status.py").read_text() != "raise SystemExit\n"
    assert len([path for path in library.iterdir() if path.is_dir() and not path.is_symlink()]) == 2
    assert runit_provision("runtime", "remove", "--prefix", prefix).status == 1
    damaged.unlink()
    assert runit_provision("runtime", "remove", "--prefix", prefix).status == 0
    assert not prefix.exists()


def test_the_tools_work_at_every_moment_of_a_renewal(prefix: Path, python: str) -> None:
    install(prefix, python)
    library = prefix / "lib/runit-provision"
    script = f"import sys; sys.path.insert(0, {str(library)!r} + '/current'); import runit_provision.runtime.wire.status"
    for _ in range(3):
        (library / "current/runit_provision/runtime/wire/tai.py").write_text("damaged\n")
        renewal = subprocess.Popen(
            [sys.executable, "-m", "runit_provision.cli", "runtime", "install", "--prefix", prefix, "--python", python]
        )
        checked = 0
        while renewal.poll() is None or not checked:
            assert all((prefix / "bin" / tool).exists() for tool in shipped.TOOLS)
            assert subprocess.run([python, "-IS", "-c", script], check=False).returncode == 0
            checked += 1
        assert renewal.returncode == 0


def test_a_read_only_wheel_installs(prefix: Path, python: str, tmp_path: Path) -> None:
    import shutil

    import runit_provision

    wheel = tmp_path / "wheel"
    shutil.copytree(Path(runit_provision.__file__).parent, wheel / "runit_provision")
    version = wheel / "runit_provision/runtime/__init__.py"
    version.write_text(version.read_text().replace(f'VERSION = "{VERSION}"', 'VERSION = "9"'))
    for path in [*wheel.rglob("*"), wheel]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    env = {**os.environ, "PYTHONPATH": str(wheel)}
    command = [sys.executable, "-P", "-m", "runit_provision.cli", "runtime", "install", "--prefix", str(prefix), "--python", python]
    assert subprocess.run(command, env=env, check=False).returncode == 0
    assert (prefix / "lib/runit-provision/current").readlink() == Path("9")
    for path in [wheel, *wheel.rglob("*")]:
        path.chmod(0o755)
    assert runit_provision_remove(prefix) == 0


def runit_provision_remove(prefix: Path) -> int:
    return runit_provision("runtime", "remove", "--prefix", prefix).status


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("/nowhere/python3", "/nowhere/python3: No such file or directory; name another interpreter with --python"),
        ("/bin/true", "/bin/true: is not a Python interpreter; name another interpreter with --python"),
        ("python3", "python3: not an absolute path that the first line of a script can name; name another interpreter with --python"),
    ],
)
def test_an_interpreter_that_will_not_do_is_said_before_anything_is_written(prefix: Path, program: str, said: str) -> None:
    result = runit_provision("runtime", "install", "--prefix", prefix, "--python", program)
    assert (result.status, result.err.splitlines()[0]) == (1, said)
    assert not prefix.exists()


def test_an_old_interpreter_is_said(prefix: Path, tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\necho 3 9\n")
    old.chmod(0o755)
    result = runit_provision("runtime", "install", "--prefix", prefix, "--python", old)
    assert result.status == 1
    assert f"{old}: is Python 3.9; the runtime needs 3.11 or later; name another interpreter with --python" in result.err


def test_a_prefix_that_cannot_be_written_is_said() -> None:
    result = runit_provision("runtime", "install", "--prefix", "/proc/self/here")
    assert (result.status, result.err) == (
        1,
        "/proc/self/here: No such file or directory; can the prefix be written?\n1 problem\n",
    )


def test_an_image_gets_it_without_anything_run_there(tmp_path: Path) -> None:
    root = systemd_image(tmp_path / "image")
    (root / "usr/local").symlink_to("/opt/local")  # as the image's own kernel would read it, not as this machine's
    (root / "opt/local").mkdir(parents=True)
    before = snapshot(root)
    result = runit_provision("runtime", "install", "--root", root, "--format", "json")
    assert result.status == 0
    assert json.loads(result.out)["tools"][0] == "/usr/local/bin/runsvdir"
    assert (root / "opt/local/bin/sv").read_text().splitlines()[0] == "#!/usr/bin/python3 -IS"
    assert str(root) not in (root / "opt/local/bin/sv").read_text()
    assert runit_provision("runtime", "remove", "--root", root).status == 0
    assert snapshot(root) == before


def test_an_image_with_an_old_python_is_said(tmp_path: Path) -> None:
    root = systemd_image(tmp_path / "image")
    (root / "usr/bin/python3.9").touch(mode=0o755)
    (root / "usr/bin/python3").unlink()
    (root / "usr/bin/python3").symlink_to("python3.9")
    result = runit_provision("runtime", "install", "--root", root)
    assert (result.status, "is Python 3.9" in result.err) == (1, True)


def test_nobody_who_reads_the_library_keeps_it_from_being_renewed(prefix: Path, python: str) -> None:
    oracle.root("locks as somebody else")
    install(prefix, python)
    for folder in prefix.parents[:3]:
        folder.chmod(0o755)
    (prefix / "bin/sv").unlink()
    with locked(prefix / "lib/runit-provision"):
        install(prefix, python)
        assert (prefix / "bin/sv").exists()
        assert runit_provision("runtime", "remove", "--prefix", prefix).status == 0
    assert not prefix.exists()


def test_an_install_that_waits_for_another_says_for_which_and_goes_on_after_it(prefix: Path, python: str) -> None:
    lock = prefix / "lib/runit-provision/lock"
    lock.parent.mkdir(parents=True)
    lock.touch(mode=0o600)
    program = "from runit_provision.cli import main; main()"
    command = [sys.executable, "-I", "-c", program, "runtime", "install", "--prefix", str(prefix), "--python", python]
    with locked(lock, uid=os.getuid(), how=fcntl.LOCK_EX) as pid:
        waits = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert waits.stderr is not None
        assert waits.stderr.readline() == f"warning: {lock}: held by pid {pid}; waiting until that is done\n"
        assert waits.poll() is None
        assert not (prefix / "bin").exists()
    assert (waits.communicate()[1], waits.returncode) == ("", 0)
    assert (prefix / "bin/sv").exists()
    assert not lock.exists()


def test_an_install_waits_for_another_no_longer_than_that_takes(prefix: Path, python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "_PATIENCE", 0.0)
    lock = prefix / "lib/runit-provision/lock"
    lock.parent.mkdir(parents=True)
    lock.touch(mode=0o600)
    with locked(lock, uid=os.getuid(), how=fcntl.LOCK_EX) as pid, pytest.raises(LockHeldError) as raised:
        package.install(prefix=prefix, python=python)
    assert str(raised.value.problems[0]) == f"{lock}: held by pid {pid} for more than 0 s; wait until that is done"
