"""A tree in which something is done again and again, while supervisor, keeper, pool or holder are killed at a chosen instant of it.

After each act the world must be as if nobody had been killed: what was to happen has happened once, what was to stay has stayed.
"""

from __future__ import annotations

import platform
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from runit_provision.runtime.shell.service.endings import KEPT
from support import supervision
from support.fifo import is_read
from support.interrupt import Interrupter
from support.supervision import Tree, letter, log_in_pool, pid_of, send, service, stat
from support.waiting import DEADLINE, until

SUPERVISOR, KEEPER, POOL, HOLDER = "supervisor", "keeper", "pool", "holder"
NAMES = {KEEPER: "runsvdir-keeper", POOL: "log-pool", HOLDER: "fifo-holder"}
OWN = sorted(["runsvdir", *NAMES.values()])
"""The names of a tree's own processes, when nobody is missing and nobody stands in."""
FLOCK = {"x86_64": 73, "aarch64": 32}[platform.machine()]
"""The system call by which a runsvdir that starts first touches its tree: before, it is only a python that loads."""
TARGETS = 6
"""In turn, so that each has run for longer than the second after which a service is started at once."""
LINES = 20
TALKER = (
    "[ -e told ] || echo 0 >told; n=$(cat told); trap 'kill -9 $!; exit' TERM\n"
    "trap 'i=0; while [ $i -lt {lines} ]; do echo $n; n=$((n+1)); i=$((i+1)); done; echo $n >told.new; mv told.new told' HUP\n"
    "echo $$ >>starts; while :; do sleep 10000 & wait $!; kill -9 $! 2>/dev/null; done"
)
STARTS = "echo $$ >>starts\nexec sleep 10000"
"""Longer than all acts take, with HARNESS=all on a busy machine."""
GUEST = "echo {name}\necho $$ >>starts\nexec sleep 10000"
"""Says its line before it is there to be taken away."""


class World:
    """Services of each kind below `place`, and the tree over them."""

    def __init__(self, running: Tree, runtime: Path, place: Path) -> None:
        self.running = running
        self.folder = running.services
        self.place = place
        self.runtime = runtime
        self.steady = [service(self.folder / f"steady{n}", STARTS) for n in range(2)]
        self.targets = [service(self.folder / f"target{n}", STARTS) for n in range(TARGETS)]
        self.talkers = [self._talker("piped", runtime), self._talker("pooled", runtime)]
        self.hups = {home.name: 0 for home in self.talkers}
        self.guests: list[Path] = []
        self.turn = 0
        self.calls = 0
        """How many system calls an act took that was not struck."""
        running.start()
        until(self.is_up, what="all services run")
        self._pids = {home: pid_of(home) for home in (*self.steady, *self.talkers)}
        self._others: dict[str, list[int]] = {}

    def _talker(self, name: str, runtime: Path) -> Path:
        """A service that says LINES numbers for each HUP, counting on."""
        reads = "exec sh -c 'while IFS= read -r l; do echo \"$l\"; done >>../lines'"
        home = service(self.folder / name, TALKER.format(lines=LINES), log=reads)
        if name == "pooled":
            log_in_pool(home, runtime)
        return home

    def is_up(self) -> bool:
        """Whether this very runsvdir supervises every service, with one keeper, pool and holder, and all say that they run."""
        homes = [*self.steady, *self.targets, *self.talkers]
        folders = [*homes, *(home / "log" for home in self.talkers)]
        return (
            all(stat(folder) == "run" and pid_of(folder) for folder in folders)
            and self.running.supervises(*folders)
            and not self.running_for_nobody()
            and all((home / "starts").exists() for home in homes)
            and self._is_complete()
        )

    def _is_complete(self) -> bool:
        """Whether there is one of each role, and the holder has all that a supervisor has, so that either may die."""
        alive = {pid: supervision.name(pid) for pid in self.running.processes() if supervision.is_alive(pid)}
        ours = sorted(name for name in alive.values() if name in OWN)
        if ours != OWN:
            return False
        (holder,) = (pid for pid, name in alive.items() if name == NAMES[HOLDER])
        held = supervision.opened(holder).values()
        return all(str(home.resolve() / "log/supervise" / name) in held for home in self.talkers for name in ("pipe", "control"))

    def running_for_nobody(self) -> list[str]:
        """Give what a pool has open of services that have gone."""
        return [path for pid in self.pids(POOL) for path in supervision.opened(pid).values() if path.startswith(f"{self.place}/")]

    def differences(self) -> list[str]:
        """Say for people why it is not up."""
        homes = [*self.steady, *self.targets, *self.talkers]
        return (
            [
                f"{folder.relative_to(self.folder)}: {stat(folder)}, pid {pid_of(folder)}"
                for folder in (*homes, *(home / "log" for home in self.talkers))
                if stat(folder) != "run" or not self.running.supervises(folder) or not pid_of(folder)
            ]
            + [f"{home.name}: told {numbers(home / 'told')}, sent {self.hups[home.name]}" for home in self.talkers]
            + [f"a pool has {path}" for path in self.running_for_nobody()]
            + [f"{role}s {self.pids(role)}" for role in (POOL, HOLDER)]
            + [f"supervisors {self.running.supervisors()}, struck runsvdir is {self.running.pid}"]
        )

    def pids(self, role: str) -> list[int]:
        """Give the pids of a role."""
        if role == SUPERVISOR:
            return [self.running.pid]
        return self.running.named(role)

    def strike(self, act: Callable[[], Callable[[], bool]], roles: tuple[str, ...], at: int) -> bool:
        """Do `act` while all of `roles` are killed as the first of them makes its system call number `at`; False when it made fewer.

        act: begins something, and gives what tells that it has happened.
        """
        if act == self.hup and KEEPER in roles:
            self.before_hup()
        self._note_others(roles)
        victims = [pid for role in roles for pid in self.pids(role)]
        interrupter = Interrupter(self.pids(roles[0])[0], victims, at)
        return self._finish(act(), interrupter, roles)

    def strike_start(self, roles: tuple[str, ...], at: int) -> bool:
        """Kill the supervisor, and its successor (with others of `roles`) as that makes its system call number `at` in its tree."""
        self._note_others(roles)
        self.running.kill()
        return self._strike_next(roles, at)

    def strike_start_without_keeper(self, roles: tuple[str, ...], at: int) -> bool:
        """As before, but kill the keeper too: the successor forks another, which a stand-in is forked from when that is struck."""
        self._note_others((*roles, KEEPER))
        self.running.kill_with_keeper()
        return self._strike_next(roles, at)

    def _strike_next(self, roles: tuple[str, ...], at: int) -> bool:
        self.running.start()
        others = [pid for role in roles if role != SUPERVISOR for pid in self.pids(role)]
        interrupter = Interrupter(self.running.pid, [self.running.pid, *others], at, after=FLOCK)
        return self._finish(lambda: True, interrupter, roles)

    def _note_others(self, roles: tuple[str, ...]) -> None:
        self._others = {role: self.pids(role) for role in NAMES if role not in roles}

    def _finish(self, happened: Callable[[], bool], interrupter: Interrupter, roles: tuple[str, ...]) -> bool:
        process = self.running.process
        assert process is not None
        try:
            until(
                lambda: process.poll() is not None or (happened() and self.is_up()),
                what="it has happened, or the supervisor was killed",
            )
            struck = interrupter.end()
            self.calls = interrupter.calls
            if process.poll() is not None or (struck is not None and SUPERVISOR in roles):
                process.wait(DEADLINE)
                self.running.start()
            until(happened, what="it has happened")
            until(self.is_up, what="all is as before")
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.differences()}") from None
        self.check()
        return struck is not None

    def check(self) -> None:
        """Nothing that was left alone was touched, nothing runs twice, no line is lost or doubled."""
        pids = {home: pid_of(home) for home in self._pids}
        assert pids == self._pids, f"{pids}, not {self._pids}"
        others = {role: self.pids(role) for role in self._others}
        assert others == self._others, f"{others}, not {self._others}: whoever is not struck stays"
        for home in (*self.steady, *self.targets, *self.talkers):
            starts = numbers(home / "starts")
            alive = [pid for pid in starts if supervision.is_alive(pid) and is_in(pid, home)]
            assert alive == [pid_of(home)] == starts[-1:], f"{home.name}: alive {alive}, status {pid_of(home)}, last {starts[-1:]}"
        for home in (*self.steady, *self.targets):
            ends = min(len(numbers(home / "starts")) - 1, KEPT)
            tally = (home / "supervise/deaths").read_text().splitlines() if ends else []
            # A start whose keeper dies before the go ends too, and its script has said nothing.
            known = [line for line in tally if not line.endswith((" unknown", " exited 111"))]
            assert len(known) <= ends <= len(tally), f"{home.name}: {ends} ends, tallied {tally}"
        for home in self.talkers:
            logged = home / ("lines" if home.name == "piped" else "log/main/current")

            # A signal that a keeper was killed with is sent again, and may be answered only now.
            def is_logged(told: Path = home / "told", logged: Path = logged) -> bool:
                return numbers(logged) == list(range(numbers(told)[0]))

            until(is_logged, what=f"{home.name}: every line is logged once")
        for home in self.guests:
            assert (home / "log/main/current").read_text() == f"{home.name}\n"

    def target(self) -> Path:
        """Give the service whose turn it is."""
        self.turn += 1
        return self.targets[self.turn % TARGETS]

    # Acts.

    def restart(self) -> Callable[[], bool]:
        """Letter t: one more start."""
        return self._one_more_start(lambda home: letter(home, "t"))

    def dies(self) -> Callable[[], bool]:
        """A service is killed: one more start."""
        return self._one_more_start(lambda home: send(home, signal.SIGKILL))

    def down_and_up(self) -> Callable[[], bool]:
        """Letters d and u at once: one more start."""
        return self._one_more_start(lambda home: letter(home, "du"))

    def _one_more_start(self, begin: Callable[[Path], object]) -> Callable[[], bool]:
        home = self.target()
        before = numbers(home / "starts")
        begin(home)

        def started_once_more() -> bool:
            starts = numbers(home / "starts")
            assert len(starts) <= len(before) + 1, f"{home.name} was started {len(starts) - len(before)} times"
            return len(starts) == len(before) + 1 and pid_of(home) == starts[-1] and stat(home) == "run"

        return started_once_more

    def before_hup(self) -> None:
        """Let the keeper be the talkers' parent, as it is no more after another keeper was killed: it sends their signals then."""
        for home in self.talkers:
            begun = numbers(home / "starts")
            letter(home, "t")
            until(lambda: len(numbers(home / "starts")) > len(begun), what="it runs again")  # noqa: B023
        until(self.is_up, what="all is as before")
        self._pids = {home: pid_of(home) for home in self._pids}

    def hup(self) -> Callable[[], bool]:
        """Letter h to the talkers: each says its next lines."""
        goals = {home: numbers(home / "told")[0] + LINES for home in self.talkers}
        for home in self.talkers:
            letter(home, "h")
            self.hups[home.name] += 1
        return lambda: all(numbers(home / "told")[0] >= goal for home, goal in goals.items())

    def restart_logs(self) -> Callable[[], bool]:
        """Letter t to a log whose process is its own: another process."""
        home = self.talkers[0] / "log"
        before = pid_of(home)
        letter(home, "t")
        return lambda: pid_of(home) not in {0, before} and stat(home) == "run"

    def pooled_log_down_and_up(self) -> Callable[[], bool]:
        """Letter d to a log that a pool keeps, and u as soon as it is down."""
        home = self.talkers[1] / "log"
        letter(home, "d")
        asked_for = False

        def back() -> bool:
            nonlocal asked_for
            if not asked_for and stat(home) == "down":
                letter(home, "u")
                asked_for = True
            return asked_for and stat(home) == "run"

        return back

    def add_and_remove(self) -> Callable[[], bool]:
        """A new link, and, as soon as it runs, none."""
        name = f"added{len(self.guests) + 1}"
        home = service(self.place / name, GUEST.format(name=name), log="")
        log_in_pool(home, self.runtime)
        link = self.folder / home.name
        link.symlink_to(home)
        self.guests.append(home)

        def came_and_went() -> bool:
            starts = numbers(home / "starts")
            assert len(starts) <= 1, "started twice"
            if starts and stat(home) == stat(home / "log") == "run":
                link.unlink(missing_ok=True)
            # Its log is down too while its pool has died: who has gone has nobody that reads what is asked of it.
            return (
                not link.exists() and len(starts) == 1 and not any(is_read(folder / "supervise/ok") for folder in (home, home / "log"))
            )

        return came_and_went

    def asks(self) -> Callable[[], bool]:
        """C's sv restarts a service, and is answered or told to ask again."""
        home = self.target()
        before = pid_of(home)

        def restarted() -> bool:
            if pid_of(home) in {0, before}:
                subprocess.run(["sv", "-w", "1", "try-restart", str(home)], capture_output=True, check=False)
            return pid_of(home) not in {0, before} and stat(home) == "run"

        return restarted


def is_in(pid: int, home: Path) -> bool:
    """Whether a process works in `home`; another one may have got its number since."""
    try:
        return Path(f"/proc/{pid}/cwd").samefile(home)
    except supervision.GONE:
        return False


def numbers(path: Path) -> list[int]:
    """Give the numbers in a file, one a line; none while it is not there."""
    try:
        return [int(line) for line in path.read_text().split()]
    except FileNotFoundError:
        return []
