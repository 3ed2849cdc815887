"""Debian 11, whose Python is 3.9: what each road says to who would have it there, and that nothing is made. Only a whole run has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import oracle
from support.wheels import CHECKOUT

import runit_provision

DEBIAN_11 = Path("/usr/local/lib/debian-11")
PROGRAM = Path(sys.executable).with_name("runit-provision")
SITE = Path(runit_provision.__file__).parents[1]
# $1: a place for what is written, with the root directory; $2: Debian 11; $3: what of this machine goes to its /mnt; $4: what is done.
BESIDE = """
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount --bind /dev "$1/root/dev"
mount --bind "$3" "$1/root/mnt"
cd "$1"
eval "$4"
"""
SAYS = "runit-provision needs Python 3.11 or later; "
PLAY = """\
- hosts: all
  gather_facts: false
  roles: [runit]
"""


def beside(folder: Path, brought: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script beside Debian 11's root directory, which is `root` there and sees `brought` as /mnt."""
    oracle.root("another root filesystem")
    if not (DEBIAN_11 / "usr/bin/python3.9").exists():
        oracle.absent(f"{DEBIAN_11} has no python3.9 (.ci/run --all makes it)")
    world = folder / "world"
    world.mkdir(exist_ok=True)
    command = ["unshare", "--mount", "sh", "-ec", BESIDE, "sh", str(world), str(DEBIAN_11), str(brought), script]
    return subprocess.run(command, capture_output=True, text=True, check=False)


if os.environ.get("HARNESS") == "all":

    @pytest.mark.shows("roads", "command line", "an old Python")
    def test_pip_refuses_the_package_and_the_command_itself_says_what_it_needs(tmp_path: Path, wheels: Path) -> None:
        pip = "python3 -m venv /own; /own/bin/pip install --no-index --no-deps /mnt/runit_provision-*.whl"
        refused = beside(tmp_path, wheels, f"chroot root sh -c '{pip}'")
        assert refused.returncode == 1
        assert "requires a different Python: 3.9.2 not in '>=3.11'" in refused.stderr
        for module in ("runit_provision.cli", "runit_provision.verify.plugin"):
            ran = beside(tmp_path, SITE, f"chroot root env PYTHONPATH=/mnt python3 -m {module} apply --data /nowhere")
            assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", f"{SAYS}this is Python 3.9\n")

    def test_the_runtime_is_not_laid_and_one_that_was_says_what_it_needs(tmp_path: Path) -> None:
        install = f"{PROGRAM} runtime install --root $PWD/root"
        refused = beside(tmp_path, tmp_path, install)
        assert (refused.returncode, "python3: is Python 3.9; the runtime needs 3.11 or later" in refused.stderr) == (1, True)
        other = "cp /bin/true root/usr/bin/python3.11; ln -sf python3.11 root/usr/bin/python3"
        back = "ln -sf python3.9 root/usr/bin/python3"
        ran = beside(tmp_path, tmp_path, f"{other}; {install} >&2; {back}; chroot root /usr/local/bin/sv status /srv")
        said = "/usr/local/bin/sv needs Python 3.11 or later; /usr/bin/python3 is Python 3.9\n"
        assert (ran.returncode, ran.stdout, ran.stderr.splitlines(keepends=True)[-1]) == (1, "", said), ran.stderr

    @pytest.mark.shows("roads", "Puppet", "an old Python")
    def test_the_puppet_module_installs_nothing(tmp_path: Path) -> None:
        wheels = "mkdir -p root/own/wheels; touch root/own/wheels/any.whl"
        ran = beside(tmp_path, CHECKOUT / "puppet/files", f"{wheels}; chroot root sh /mnt/tool.sh install /own python3")
        assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", f"{SAYS}python3 is Python 3.9\n")

    @pytest.mark.shows("roads", "Ansible", "an old Python")
    def test_the_role_ends_there_before_it_makes_anything(tmp_path: Path) -> None:
        program = oracle.program("ansible-playbook", package="ansible")
        (tmp_path / "play.yml").write_text(PLAY)
        place = "ansible_connection=community.general.chroot ansible_python_interpreter=/usr/bin/python3"
        (tmp_path / "inventory").write_text(f"old {place} ansible_host={tmp_path}/world/root runit_wheel=any.whl\n")
        variables = f"ANSIBLE_ROLES_PATH={CHECKOUT}/ansible/roles ANSIBLE_HOME={tmp_path}/home LC_ALL=C.UTF-8"
        ran = beside(tmp_path, tmp_path, f"{variables} {program} -i ../inventory ../play.yml || ls root/opt root/etc/runit-provision")
        assert "python3 is 3.9; runit-provision needs Python 3.11 or later. Name another with runit_python." in ran.stdout, ran.stderr
        assert (ran.returncode != 0, ran.stdout.splitlines()[-1]) == (True, "root/opt:")
