"""Both implementations, asked the same, and their answers in one form."""

from __future__ import annotations

import json
import shutil
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from support import oracle

from runit_provision.errors import DataError
from runit_provision.hiera import open_hierarchy
from runit_provision.hiera.hierarchy import Hierarchy
from runit_provision.hiera.values.secret import revealed
from runit_provision.model.data import Sensitive

Answer = list[Any]
"""["found", VALUE], ["missing"] or ["error", MESSAGE]; VALUE says its type and its order."""


_ORACLE = Path(__file__).with_name("oracle.rb")
DEBIAN_13 = Path("/usr/local/lib/debian-13")
"""A root filesystem with Puppet 8, as .ci/run --all makes it."""


def puppet_here() -> list[str]:
    """Give the command of this machine's Puppet (7, on Debian 12)."""
    oracle.program("puppet", package="puppet-agent")
    return [oracle.program("ruby", package="ruby"), str(_ORACLE)]


def puppet_8(cases: Path) -> list[str]:
    """Give the command of Debian 13's Puppet, in a root filesystem of its own where `cases` is seen by the same name."""
    oracle.root("a root filesystem is entered")
    if not (DEBIAN_13 / "usr/bin/puppet").exists():
        oracle.absent(f"no Puppet 8 in {DEBIAN_13} (.ci/run --all makes it)")
    shutil.copy(_ORACLE, cases / _ORACLE.name)
    within = f"{DEBIAN_13}{cases}"
    lay = f"mount -t tmpfs tmpfs {DEBIAN_13}/tmp && mkdir -p {within} && mount --bind {cases} {within}"
    return ["unshare", "--mount", "sh", "-ec", f"{lay} && exec chroot {DEBIAN_13} env LANG=C.UTF-8 ruby {cases / _ORACLE.name}"]


class Puppet:
    """One long-lived process of Puppet's own lookup."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        self._waiting = ThreadPoolExecutor(1, "puppet")

    def ask_meanwhile(self, question: dict[str, Any]) -> Future[list[Answer]]:
        """Ask, and wait for the answers elsewhere: Puppet thinks while the next case is drawn."""
        return self._waiting.submit(self.ask, question)

    def ask(self, question: dict[str, Any]) -> list[Answer]:
        """Give the answers, one for each query."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the oracle ended"
        answers: list[Answer] = json.loads(line)
        return answers

    def close(self) -> None:
        """End the process."""
        self._waiting.shutdown()
        self._process.communicate()
        assert self._process.returncode == 0


def ask_ours(question: dict[str, Any], *, secrets: bool = True) -> list[Answer]:
    """Give our answers, one for each query; without `secrets` a Sensitive counts as what it holds, since we wrap what was encrypted."""
    try:
        hierarchy = open_hierarchy(
            Path(question["config"]),
            facts=question["facts"],
            node=question["node"],
            environment_path=Path(question["environment"]) if question["environment"] else None,
            modulepath=[Path(folder) for folder in question["modulepath"]],
            strict=question["strict"],
        )
    except DataError as error:
        return [["error", str(error)] for _ in question["queries"]]
    return [_answer(hierarchy, query, secrets) for query in question["queries"]]


def _answer(hierarchy: Hierarchy, query: dict[str, Any], secrets: bool) -> Answer:
    try:
        found = hierarchy.find(query["key"], merge=query.get("merge"))
    except DataError as error:
        return ["error", str(error)]
    return ["missing"] if found is None else ["found", encoded(found.value if secrets else revealed(found.value))]


def encoded(value: Any) -> list[Any]:
    """Give the value with its types and order, as oracle.rb does."""
    match value:
        case None:
            return ["null"]
        case bool():
            return ["bool", value]
        case int():
            return ["int", str(value)]
        case float():
            return ["float", _float(value)]
        case str():
            return ["str", value]
        case list():
            return ["list", [encoded(item) for item in value]]
        case dict():
            return ["hash", [[encoded(key), encoded(item)] for key, item in value.items()]]
        case Sensitive():
            return ["sensitive", encoded(value.unwrap())]
        case _:
            return ["other", type(value).__name__, str(value)]


def _float(value: float) -> str:
    return repr(value).replace("inf", "Infinity").replace("nan", "NaN")


def same(theirs: Answer, ours: Answer) -> bool:
    """Whether two answers agree; errors agree whatever they say."""
    return bool(theirs[0] == ours[0] and (theirs[0] == "error" or _plain(theirs) == _plain(ours)))


def _plain(answer: Any) -> Any:
    """Floats as numbers, so that both ways to write them compare."""
    if isinstance(answer, list):
        return (
            ["float", repr(float(answer[1].replace("Infinity", "inf")))]
            if answer[:1] == ["float"]
            else [_plain(item) for item in answer]
        )
    return answer
