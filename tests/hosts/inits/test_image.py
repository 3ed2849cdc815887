"""`runit-provision init link | unlink | status` in images: files are written, nothing runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support import oracle
from support.command import PROGRAM, runit_provision
from support.image import (
    INITTAB,
    busybox_image,
    openrc_image,
    runit_image,
    s6_image,
    snapshot,
    systemd_image,
    sysvinit_image,
    upstart_image,
)
from support.lent_runtime import lay_runtime

from runit_provision.host.inits.detect import NAMES

UNIT = "etc/systemd/system/runit-provision.service"
Make = Callable[[Path], Path]


IMAGES: dict[str, tuple[Make, str]] = {
    "systemd": (systemd_image, "/sbin/init is /usr/lib/systemd/systemd"),
    "sysvinit": (sysvinit_image, "/sbin/init is /sbin/init, and /etc/inittab is there"),
    "openrc": (openrc_image, "/sbin/init is /sbin/openrc-init"),
    "busybox": (busybox_image, "/sbin/init is /bin/busybox"),
    "runit": (runit_image, "/sbin/init is /sbin/runit-init"),
    "s6": (s6_image, "/sbin/init is /sbin/init, which calls s6-linux-init"),
    "upstart": (upstart_image, "/sbin/init is /sbin/init, and /etc/init is there"),
}
"""What makes an image of each init, and the reason for which it is taken for one."""


@pytest.fixture(params=IMAGES)
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    make, _ = IMAGES[request.param]
    root = make(tmp_path / request.param)
    lay_runtime(root)
    return root


@pytest.mark.shows("inits", "{root}", "image linked and unlinked")
def test_what_link_wrote_unlink_takes_back(root: Path) -> None:
    before = snapshot(root)
    assert runit_provision("init", "status", "--root", root).status == 2
    assert runit_provision("init", "link", "--root", root).status == 0
    linked = snapshot(root)
    assert linked != before
    assert runit_provision("init", "status", "--root", root).status == 0
    assert runit_provision("init", "link", "--root", root).out.endswith("nothing to do\n")
    assert snapshot(root) == linked
    assert runit_provision("init", "unlink", "--root", root).status == 0
    assert snapshot(root) == before
    assert runit_provision("init", "unlink", "--root", root).out.endswith("nothing to do\n")


def test_other_options_replace_what_was_linked(root: Path) -> None:
    before = snapshot(root)
    assert runit_provision("init", "link", "--root", root).status == 0
    assert runit_provision("init", "link", "--root", root, "--service-directory", "/srv/a 'b'%s").status == 0
    assert runit_provision("init", "unlink", "--root", root).status == 0
    assert snapshot(root) == before


def test_without_a_runtime_nothing_is_linked(root: Path) -> None:
    assert runit_provision("runtime", "remove", "--root", root).status == 0
    before = snapshot(root)
    result = runit_provision("init", "link", "--root", root)
    assert result.status == 1
    assert result.err.splitlines()[0] == (
        f"/usr/local/bin/runsvdir: No such program; `runit-provision runtime install --root {root} --prefix /usr/local` first"
    )
    assert snapshot(root) == before


def test_a_folder_that_was_there_stays_though_it_is_empty(tmp_path: Path) -> None:
    root = systemd_image(tmp_path / "image")
    (root / "etc/systemd/system/multi-user.target.wants").mkdir()
    lay_runtime(root)
    before = snapshot(root)
    assert runit_provision("init", "link", "--root", root).status == 0
    assert runit_provision("init", "status", "--root", root).status == 0
    assert runit_provision("init", "unlink", "--root", root).status == 0
    assert snapshot(root) == before


@pytest.mark.shows("inits", "{root}", "a stranger's file")
def test_what_a_stranger_has_put_in_the_place_of_any_piece_is_never_touched(root: Path) -> None:
    assert runit_provision("init", "link", "--root", root).status == 0
    pieces = json.loads(runit_provision("init", "status", "--root", root, "--format", "json").out)["pieces"]
    assert runit_provision("init", "unlink", "--root", root).status == 0
    for path in (piece["what"] for piece in pieces if " " not in piece["what"]):
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("a stranger's\n")
        before = snapshot(root)
        result = runit_provision("init", "link", "--root", root)
        assert (result.status, result.err.splitlines()[0]) == (1, f"{path}: not laid by runit-provision; move it away")
        assert runit_provision("init", "unlink", "--root", root).status == 0
        assert snapshot(root) == before
        file.unlink()


@pytest.mark.shows("inits", "{root}", "read-only /etc")
def test_an_etc_that_cannot_be_written_is_told_and_nothing_is_left(root: Path) -> None:
    oracle.root("mounts")
    before = snapshot(root)
    script = 'mount --bind "$1/etc" "$1/etc" && mount -o remount,bind,ro "$1/etc" && shift && exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", script, "sh", str(root), PROGRAM, "init", "link", "--root", str(root)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Read-only file system" in done.stderr
    assert "/etc/" in done.stderr.splitlines()[0]
    assert snapshot(root) == before


def test_a_runtime_that_a_user_could_replace_is_not_started_as_root(tmp_path: Path) -> None:
    oracle.root("gives folders to others")
    root = systemd_image(tmp_path / "image")
    (root / "home/jo").mkdir(parents=True)
    assert runit_provision("runtime", "install", "--root", root, "--prefix", "/home/jo/runit").status == 0
    os.chown(root / "home/jo", 1000, 1000)
    before = snapshot(root)
    for words in (("init", "link"), ("runtime", "install")):
        result = runit_provision(*words, "--root", root, "--prefix", "/home/jo/runit")
        assert (result.status, result.err.splitlines()[0]) == (
            1,
            "/home/jo: belongs to user 1000, and root would run what lies in it; choose a place in which root alone writes",
        )
    assert snapshot(root) == before


def test_a_host_whose_pid_1_is_no_init_is_said() -> None:
    oracle.root("makes a pid namespace")
    script = f"mount -t tmpfs none /run; {PROGRAM} init status; echo $?"
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout == "1\n"
    name = Path("/bin/sh").resolve().name
    assert (
        done.stderr.startswith(f"no init that is known here: pid 1 is {name}, ")
        or "no init that is known here: pid 1 is sh" in done.stderr
    )


@pytest.mark.parametrize("words", ["sh -c", "ash -c"])
def test_a_shell_of_busybox_is_no_init(words: str) -> None:
    """As in a container, where such a shell is pid 1, and an inittab may lie about."""
    oracle.root("makes a pid namespace")
    busybox = oracle.program("busybox", package="busybox")
    script = f"mount -t tmpfs none /run; {PROGRAM} init link; echo $?"
    command = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", busybox, *words.split(), script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "1\n"
    assert done.stderr.startswith("no init that is known here: pid 1 is busybox, but not its init; name one with --init (")


def test_an_image_has_no_users_systemd(tmp_path: Path) -> None:
    root = systemd_image(tmp_path / "image")
    lay_runtime(root)
    before = snapshot(root)
    result = runit_provision("init", "link", "--root", root, "--init", "systemd-user", "--prefix", "/usr/local")
    assert result.status == 1
    assert f"{root}: an image has no user's systemd; --init systemd is what starts trees at its boot" in result.err
    assert snapshot(root) == before


@pytest.mark.shows("inits", "{package}", "upgrade of its package")
@pytest.mark.parametrize("package", ["systemd", "openrc", "runit", "s6", "busybox"])
def test_no_upgrade_of_an_inits_package_touches_what_was_linked(tmp_path: Path, package: str) -> None:
    """What dpkg replaces or removes is what its lists name; /etc/inittab is in none (postinst makes it where it is missing)."""
    dpkg = oracle.program("dpkg-query", package="dpkg")
    make, _ = IMAGES[package]
    root = make(tmp_path / package)
    lay_runtime(root)
    assert runit_provision("init", "link", "--root", root).status == 0
    pieces = json.loads(runit_provision("init", "status", "--root", root, "--format", "json").out)["pieces"]
    paths = {piece["what"].partition(" ")[0] for piece in pieces}
    listed = subprocess.run([dpkg, "-L", package], capture_output=True, text=True, check=True).stdout.splitlines()
    assert paths & {*listed} == set()


def test_the_unit_is_one_that_systemd_understands(tmp_path: Path) -> None:
    analyze = oracle.program("systemd-analyze", package="systemd")
    root = systemd_image(tmp_path / "image")
    prefix = tmp_path / "a prefix"
    services = '/srv/o\'ne "two" 100%s $HOME'
    assert runit_provision("runtime", "install", "--root", root, "--prefix", prefix).status == 0
    assert runit_provision("init", "link", "--root", root, "--prefix", prefix, "--service-directory", services).status == 0
    shutil.copytree(root / str(prefix).lstrip("/"), prefix)  # systemd-analyze looks for the program here
    unit = tmp_path / "check.service"
    shutil.copy(root / UNIT, unit)
    done = subprocess.run([analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_unit_ends_services_in_order_and_outlives_runsvdir(tmp_path: Path) -> None:
    root = systemd_image(tmp_path / "image")
    lay_runtime(root)
    assert runit_provision("init", "link", "--root", root).status == 0
    lines = (root / UNIT).read_text().splitlines()
    for line in (
        "Environment=PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
        "ExecStart=/usr/local/bin/runsvdir -P /etc/service",
        "KillSignal=SIGHUP",
        "KillMode=process",
        "Delegate=yes",
        "Restart=always",
    ):
        assert line in lines
    assert (root / "etc/systemd/system/multi-user.target.wants/runit-provision.service").readlink() == Path("/" + UNIT)


@pytest.mark.parametrize("content", ["[Service]\nExecStart=/bin/true\n", "# Laid by `runit-provision init link`, says a liar\n"])
def test_a_strangers_unit_of_the_same_name_is_never_touched(tmp_path: Path, content: str) -> None:
    root = systemd_image(tmp_path / "image")
    lay_runtime(root)
    (root / UNIT).write_text(content)
    before = snapshot(root)
    result = runit_provision("init", "link", "--root", root)
    assert (result.status, result.err.splitlines()[0]) == (1, f"/{UNIT}: not laid by runit-provision; move it away")
    assert runit_provision("init", "unlink", "--root", root).status == 0
    assert snapshot(root) == before


def test_a_unit_that_was_edited_is_not_overwritten_and_not_taken_back(tmp_path: Path) -> None:
    root = systemd_image(tmp_path / "image")
    lay_runtime(root)
    assert runit_provision("init", "link", "--root", root).status == 0
    with (root / UNIT).open("a") as unit:
        unit.write("[Service]\nNice=5\n")
    before = snapshot(root)
    for word in ("link", "unlink"):
        result = runit_provision("init", word, "--root", root)
        assert (result.status, result.err.partition(";")[0]) == (1, f"/{UNIT}: edited since it was laid")
    assert snapshot(root) == before


def test_the_inittabs_other_lines_stay_byte_for_byte_and_the_stop_comes_before_rc(tmp_path: Path) -> None:
    root = sysvinit_image(tmp_path / "image")
    (root / "etc/inittab").chmod(0o640)
    lay_runtime(root)
    assert runit_provision("init", "link", "--root", root).status == 0
    text = (root / "etc/inittab").read_bytes().decode(errors="surrogateescape")
    ours = [line for line in text.splitlines() if line not in INITTAB.splitlines()]
    assert [line for line in ours if not line.startswith("#-- runit-provision ")] == [
        "rq:016:wait:/etc/runit-provision/runsvdir-stop",
        "rp:2345:respawn:/etc/runit-provision/runsvdir-start",
    ]
    assert [line for line in text.splitlines() if line not in ours] == INITTAB.splitlines()
    assert text.index("rq:") < text.index("l0:")
    assert (root / "etc/inittab").stat().st_mode & 0o777 == 0o640


def test_edited_lines_of_the_inittab_are_to_be_mended_in_place(tmp_path: Path) -> None:
    root = sysvinit_image(tmp_path / "image")
    lay_runtime(root)
    assert runit_provision("init", "link", "--root", root).status == 0
    inittab = root / "etc/inittab"
    inittab.write_bytes(inittab.read_bytes().replace(b"rp:2345:", b"rp:345:"))
    before = snapshot(root)
    for word in ("link", "unlink"):
        result = runit_provision("init", word, "--root", root)
        assert (result.status, result.err.splitlines()[0]) == (
            1,
            "/etc/inittab: edited since it was laid; in that file, delete the lines from `#-- runit-provision start begin` to "
            "`#-- runit-provision start end`, or restore them, and leave the rest",
        )
    assert snapshot(root) == before


@pytest.mark.parametrize("target", ["inittab.real", "/nowhere"])
def test_an_inittab_that_is_a_link_is_not_replaced(tmp_path: Path, target: str) -> None:
    root = sysvinit_image(tmp_path / "image")
    lay_runtime(root)
    (root / "etc/inittab").rename(root / "etc/inittab.real")
    (root / "etc/inittab").symlink_to(target)
    before = snapshot(root)
    result = runit_provision("init", "link", "--root", root, "--init", "sysvinit")
    assert (result.status, result.err.partition(";")[0]) == (1, f"/etc/inittab: a symbolic link to {target}")
    assert snapshot(root) == before


def test_the_scripts_are_ones_that_a_shell_checker_likes(root: Path) -> None:
    shellcheck = oracle.program("shellcheck", package="shellcheck")
    assert runit_provision("init", "link", "--root", root, "--service-directory", "/srv/a b").status == 0
    laid = [path for path in (root / "etc/runit-provision").rglob("*") if path.is_file() and path.read_bytes().startswith(b"#!")]
    assert laid or root.name == "systemd"
    done = subprocess.run([shellcheck, "--shell=sh", "/dev/null", *laid], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_root_without_the_inits_own_folders_is_none_of_its_hosts(tmp_path: Path) -> None:
    root = systemd_image(tmp_path / "image")
    lay_runtime(root)
    before = snapshot(root)
    result = runit_provision("init", "link", "--root", root, "--init", "openrc")
    assert (result.status, result.err.splitlines()[:2]) == (
        1,
        [
            "/etc/init.d: No such directory; is this a host of openrc? name its init with --init",
            "/etc/runlevels/default: No such directory; is this a host of openrc? name its init with --init",
        ],
    )
    assert snapshot(root) == before


def test_a_service_of_s6_that_would_be_gone_at_the_next_boot_is_refused(tmp_path: Path) -> None:
    root = s6_image(tmp_path / "image")
    shutil.rmtree(root / "etc/s6-linux-init")
    lay_runtime(root)
    result = runit_provision("init", "link", "--root", root, "--init", "s6")
    assert (result.status, result.err.partition(";")[0]) == (1, "/run/service: what is put there is gone at the next boot")


@pytest.mark.parametrize("make", [runit_image, s6_image], ids=["runit", "s6"])
def test_what_the_hosts_own_supervisor_scans_is_not_scanned_twice(make: Make, tmp_path: Path) -> None:
    root = make(tmp_path / "image")
    lay_runtime(root)
    before = snapshot(root)
    own = "/etc/s6-linux-init/current/run-image/service" if make is s6_image else "/var/service"
    result = runit_provision("init", "link", "--root", root, "--service-directory", own)
    assert result.status == 1
    assert result.err.startswith(f"{own}: the host's own supervisor scans it; two would fight for its services; name another with")
    assert snapshot(root) == before


def test_an_inittab_line_that_runs_the_same_tree_or_has_our_id_is_said(tmp_path: Path) -> None:
    inittab = "id:2:initdefault:\nSV:123456:respawn:/usr/sbin/runsvdir-start\nrp:2:respawn:/bin/mine\n#rq:2:respawn:/bin/mine\n"
    root = sysvinit_image(tmp_path / "image", inittab=inittab)
    lay_runtime(root)
    before = snapshot(root)
    result = runit_provision("init", "link", "--root", root)
    assert (result.status, result.err.splitlines()) == (
        1,
        [
            "/etc/inittab: line 2 starts runsvdir on /etc/service already; remove it first",
            "/etc/inittab: line 3 has the id `rp`, which is needed here; give it another",
            "2 problems",
        ],
    )
    assert snapshot(root) == before


def test_an_enabled_unit_that_runs_the_same_tree_is_said(tmp_path: Path) -> None:
    root = systemd_image(tmp_path / "image")
    lay_runtime(root)
    (root / "usr/lib/systemd/system").mkdir()
    (root / "usr/lib/systemd/system/runit.service").write_text("[Service]\nExecStart=/usr/sbin/runsvdir-start\n")
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir()
    (wants / "runit.service").symlink_to("/lib/systemd/system/runit.service")
    result = runit_provision("init", "link", "--root", root)
    assert result.status == 1
    assert "starts runsvdir on /etc/service already; `systemctl disable --now runit.service` first; what goes on under" in result.err
    assert "a runsv that it leaves behind is taken over by ours, with the same pids\n" in result.err


def test_openrc_that_sysvinits_init_calls_is_openrc(tmp_path: Path) -> None:
    root = sysvinit_image(tmp_path / "debian")
    (root / "etc/runlevels/default").mkdir(parents=True)
    (root / "sbin/openrc").touch(0o755)
    result = json.loads(runit_provision("init", "status", "--root", root, "--format", "json").out)
    assert result["init"] == "openrc"
    assert result["reason"] == "/sbin/init is /sbin/init, and /sbin/openrc and /etc/runlevels are there"


def test_which_init_an_image_has_and_why(root: Path) -> None:
    result = json.loads(runit_provision("init", "status", "--root", root, "--format", "json").out)
    assert (result["init"], result["reason"]) == (root.name, IMAGES[root.name][1])


def test_an_image_without_a_known_init_is_said_and_can_be_told(tmp_path: Path) -> None:
    root = systemd_image(tmp_path / "image")
    (root / "usr/sbin/init").unlink()
    lay_runtime(root)
    result = runit_provision("init", "link", "--root", root)
    assert (result.status, result.err.splitlines()[0]) == (
        1,
        f"no init that is known here: /sbin/init is not there; name one with --init ({', '.join(NAMES)})",
    )
    assert runit_provision("init", "link", "--root", root, "--init", "systemd").status == 0
