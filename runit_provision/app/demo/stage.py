"""The demo's directory: the examples, facts, homes and the runtime in it, and what is needed to go the road there."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from importlib import resources
from pathlib import Path

from runit_provision.app.source import Source
from runit_provision.app.target import Target
from runit_provision.host import interpreter, package

NODE = "app1.example.com"
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


class Stage:
    """One demo's directory."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="runit-provision-demo-"))
        self.account = pwd.getpwuid(os.geteuid()).pw_name

    @property
    def examples(self) -> Path:
        """The copy of hiera-examples."""
        return self.directory / "hiera-examples"

    @property
    def runtime(self) -> Path:
        """The prefix under which the runtime is laid."""
        return self.directory / "runtime"

    @property
    def services(self) -> Path:
        """What runsvdir scans."""
        return self.directory / "service"

    @property
    def facts(self) -> Path:
        """The facts that turn on the examples' demo level."""
        return self.examples / "facts/here.yaml"

    @property
    def source(self) -> Source:
        """The examples as the node sees them here."""
        return Source(hiera_config=self.examples / "hiera.yaml", facts_file=self.facts)

    @property
    def target(self) -> Target:
        """This host; what apply remembers of it stays in the directory."""
        return Target(library=self.directory / "lib")

    @property
    def environment(self) -> dict[str, str]:
        """What the tools run with; also what a person needs to look around."""
        account = pwd.getpwnam(self.account)
        return {
            "HOME": account.pw_dir,
            "LOGNAME": self.account,
            "USER": self.account,
            "SHELL": "/bin/sh",
            "PATH": f"{self.runtime}/bin:{_SYSTEM_PATH}",
            "RUNIT_PROVISION_STATE": str(self.directory / "state"),
            "RUNIT_PROVISION_LIB": str(self.directory / "lib"),
        }

    def lay(self) -> None:
        """Copy the examples, write the facts, and lay the runtime."""
        with resources.as_file(resources.files("runit_provision") / "share/hiera-examples") as examples:
            shutil.copytree(examples, self.examples, copy_function=shutil.copyfile)
        self._write_facts()
        package.install(prefix=self.runtime, python=interpreter.default())
        (self.directory / "state").mkdir(mode=0o700)

    def make_homes(self, users: list[str]) -> None:
        """Make the users' homes, which exist on a real host."""
        for name in users:
            (self.directory / "home" / name).mkdir(parents=True)

    def remove(self) -> None:
        """Remove the directory with all that is in it; what another hand removed meanwhile is no fault."""
        shutil.rmtree(self.directory, onerror=_unless_gone)

    def _write_facts(self) -> None:
        import yaml

        facts = {
            "clientcert": NODE,
            "role": "application",
            "demo": {"name": "tour", "directory": str(self.directory), "account": self.account},
        }
        self.facts.write_text(yaml.safe_dump(facts, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _unless_gone(_function: object, _path: str, raised: tuple[type[BaseException], BaseException, object]) -> None:
    if not isinstance(raised[1], FileNotFoundError):
        raise raised[1]
