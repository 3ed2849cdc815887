"""Service directories that others made, as they really look, taken over while their services run: none is restarted."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import oracle, waiting
from support.command import runit_provision

ME = pwd.getpwuid(os.geteuid()).pw_name
LOG_RUN = "#!/bin/sh\nexec svlogd -tt {base}/log/web\n"
HEAD = """\
runit:
  owner: {me}
  runtime: none
  service_directory: {base}/service
  definitions: {base}/sv
  log_directory: {base}/log
"""


def write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def by_hand(base: Path) -> str:
    """A command and a log, as the manual's examples have them; relative links, one to scripts that services share; a note beside."""
    write(base / "sv/web/run", "#!/bin/sh\nexec 2>&1\nexec sleep 1000\n", 0o755)
    write(base / "sv/web/log/run", f"#!/bin/sh\nexec svlogd {base}/log/web\n", 0o700)
    write(base / "sv/web/notes", "do not restart before noon\n")
    (base / "log/web").mkdir(parents=True)
    write(base / "shared/h", "#!/bin/sh\nexit 0\n", 0o755)
    (base / "sv/web/control").symlink_to("../../shared")
    (base / "service/web").symlink_to("../sv/web")
    log = "log: {type: svlogd, timestamp: none}"
    return HEAD + f"  services:\n    web: {{command: [sleep, '1000'], control_from: {{base}}/shared, {log}}}\n"


def chef(base: Path) -> str:
    """The cookbook `runit`: env/ and control/, log/config beside a link to it, and the script of sv_bin in init.d."""
    write(base / "sv/web/run", "#!/bin/sh\nexec 2>&1\nexec chpst -e ./env sleep 1000\n", 0o755)
    write(base / "sv/web/env/PORT", "80", 0o640)
    write(base / "sv/web/control/t", "#!/bin/sh\nexit 1\n", 0o755)
    write(base / "sv/web/log/run", LOG_RUN.format(base=base), 0o755)
    write(base / "log/web/config", "s1000000\nn10\n")
    (base / "sv/web/log/config").symlink_to(base / "log/web/config")
    (base / "service/web").symlink_to(base / "sv/web")
    return HEAD + (
        "  services:\n    web:\n      run: |\n        #!/bin/sh\n        exec 2>&1\n        exec chpst -e ./env sleep 1000\n"
        '      files: {env.old: kept}\n      control: {t: "#!/bin/sh\\nexit 1\\n"}\n'
        "      log:\n        type: script\n        run: |\n          #!/bin/sh\n          exec svlogd -tt {base}/log/web\n"
    )


def ansible(base: Path) -> str:
    """A role of templates: a banner in each script, finish and down beside, a log that the role's own script runs."""
    banner = "#!/bin/sh\n# Ansible managed\n"
    write(base / "sv/web/run", f"{banner}exec 2>&1\nexec sleep 1000\n", 0o750)
    write(base / "sv/web/finish", f"{banner}exit 0\n", 0o750)
    write(base / "sv/web/log/run", f"{banner}exec svlogd -tt {base}/log/web\n", 0o750)
    (base / "log/web").mkdir(parents=True)
    (base / "service/web").symlink_to(f"{base}/sv/web/")
    head, deep = (banner.replace("\n", "\n" + " " * width) for width in (8, 10))
    return HEAD + (
        f"  services:\n    web:\n      run: |\n        {head}exec 2>&1\n        exec sleep 1000\n"
        f"      finish: |\n        {head}exit 0\n"
        f"      log:\n        type: script\n        run: |\n          {deep}exec svlogd -tt {{base}}/log/web\n"
    )


def puppet(base: Path) -> str:
    """The original module: a definition below runit/ with its log beside the other logs, active by a link in service/."""
    (base / "sv").rename(base / "runit")
    write(base / "runit/web/run", "#!/bin/sh\nexec 2>&1\nexec sleep 1000\n", 0o755)
    write(base / "runit/web/log/run", f"#!/bin/sh\nexec svlogd -tt {base}/log/web\n", 0o755)
    write(base / "log/web/config", "s1000000000\nn30\nN2\nt86400\n")
    (base / "service/web").symlink_to(base / "runit/web")
    head = HEAD.replace("/sv", "/runit")
    return head + "  services:\n    web: {command: [sleep, '1000'], log: {type: svlogd, timestamp: utc, size: 1000000000, keep: 30}}\n"


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    oracle.program("runsvdir", package="runit")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in ("service", "sv"):
            (place / name).mkdir()
        yield place


@pytest.mark.parametrize("layout", [by_hand, chef, ansible, puppet], ids=lambda layout: layout.__name__)
def test_what_others_made_is_taken_over_without_a_restart(base: Path, tmp_path: Path, layout: Callable[[Path], str]) -> None:
    data = tmp_path / "data.yaml"
    data.write_text(layout(base).replace("{base}", str(base)).replace("{me}", ME))
    place = (base / "service/web").resolve()
    own = {path for path in place.rglob("*") if path.name in ("notes", "PORT", "config")}
    linked = {path for path in place.iterdir() if path.is_symlink()}
    supervisor = subprocess.Popen([str(shutil.which("runsvdir")), str(base / "service")], start_new_session=True)

    def pids() -> list[str]:
        found = [place / "supervise/pid", place / "log/supervise/pid"]
        return [path.read_text().strip() for path in found if path.exists()]

    try:
        waiting.until(lambda: len(pids()) == 2 and all(pids()))
        before = pids()
        applied = runit_provision("apply", "--data", data, env={"RUNIT_PROVISION_LIB": str(tmp_path / "lib")})
        assert (applied.status, applied.err) == (0, "")
        assert not [line for line in applied.out.splitlines() if line.startswith("!") and "hup" not in line]
        assert pids() == before
        assert all(os.path.lexists(path) for path in own)
        assert all(path.is_symlink() for path in linked)
        again = runit_provision("check", "--data", data, env={"RUNIT_PROVISION_LIB": str(tmp_path / "lib")})
        assert (again.status, again.out.splitlines()[-1].partition(";")[0]) == (0, "nothing to do")
    finally:
        last = pids()
        supervisor.send_signal(signal.SIGHUP)
        supervisor.wait(waiting.DEADLINE)
        for pid in filter(None, last):
            waiting.until(lambda pid=pid: not Path(f"/proc/{pid}").exists(), what=f"the end of {pid}")  # type: ignore[misc]
