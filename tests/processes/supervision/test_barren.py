"""Where there is no home, no /run that can be written, no /proc: as in a container that is read-only, or has a user without a name."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from support import oracle, supervision
from support.programs import started
from support.supervision import Tree, complaints, log_in_pool, pid_of, script, service, stat, tree
from support.waiting import until, written

NAMELESS = 61013
"""No account has this number."""
STRANGER = 61014
USERS = {"root": 0, "nameless": NAMELESS}
READ_ONLY_RUN = "mount -t tmpfs -o ro none /run"
NO_PROC = "mount -t tmpfs none /proc"
COUNTS = "i=0; while [ ! -e stop ]; do echo $i; i=$((i+1)); sleep 0.01; done; echo $i >last; exec sleep 1000"


class World:
    """A mount namespace with a /dev/shm and a /tmp of its own, in which programs are run as `user`."""

    def __init__(self, holder: int, folder: Path, runtime: Path, user: int) -> None:
        self.folder = folder
        self.runtime = runtime
        self.user = user
        self._holder = holder

    def words(self, *program: str | Path) -> list[str]:
        """Give the command that runs `program` here, without any environment."""
        account = [f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"]
        inside = ["env", "-i", "PATH=/usr/bin:/bin", "setpriv", *account, *map(str, program)]
        return ["nsenter", "-t", str(self._holder), "-m", "--", *inside]

    def do(self, line: str) -> None:
        """Run a shell line here as root."""
        subprocess.run(["nsenter", "-t", str(self._holder), "-m", "--", "sh", "-ec", line], check=True)

    def sv(self, *arguments: str | Path) -> str:
        """Give what sv says."""
        done = subprocess.run(self.words(self.runtime / "sv", "-w20", *arguments), capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def found(self, path: str) -> Path:
        """Give the path by which all see what `path` is here."""
        return Path(f"/proc/{self._holder}/root{path}")

    def states(self) -> dict[str, list[Path]]:
        """Give the places of private state that are there, by the directory that they are in."""
        places = {shared: list(self.found(shared).glob("runit-provision-*")) for shared in ("/dev/shm", "/tmp")}
        return {shared: found for shared, found in places.items() if found}

    def name(self) -> str:
        """Give the name that the state's place has in a directory of all users."""
        root = self.found("/").stat()
        namespace = Path("/proc/self/ns/pid").stat().st_ino
        return f"runit-provision-{self.user}-{namespace:x}-{root.st_dev:x}-{root.st_ino:x}-{socket.gethostname()}"

    @contextmanager
    def tree(self, program: str, directory: Path) -> Iterator[Tree]:
        """Give a tree here, whose supervisor, and each next one, gets no environment but a mark."""
        start = self.folder / "start"
        exports = f"{supervision.MARK}=${supervision.MARK}"
        words = self.words("env", exports, self.runtime / program)
        script(start, f'exec {" ".join(words)} "$@"')
        with tree(start, directory, self.folder / "unused") as running:
            yield running


@pytest.fixture
def world(runtime: Path, tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Make a world with what the shell lines `mounts` mount, for a user."""
    oracle.root("mounts what tests need")
    tmp_path.chmod(0o755)
    with ExitStack() as stack:

        def make(user: int, mounts: str = "true") -> World:
            kept = sorted({"/".join(path.parts[:3]).replace("//", "/") for path in (tmp_path, runtime) if path.is_relative_to("/tmp")})
            binds = "".join(f"mkdir /tmp{name[4:]}; mount --bind /mnt/tmp{name[4:]} {name}\n" for name in kept)
            lines = f"""
                mount --make-rprivate /
                mount -t tmpfs none /mnt
                mkdir /mnt/tmp
                mount --bind /tmp /mnt/tmp
                mount -t tmpfs -o mode=1777 none /tmp
                {binds}
                mount -t tmpfs -o mode=1777,size=16m none /dev/shm
                {mounts}
                echo ready
                exec sleep infinity
            """
            holder = subprocess.Popen(["unshare", "-m", "sh", "-ec", lines], stdout=subprocess.PIPE)
            stack.enter_context(holder)
            stack.callback(holder.kill)
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"ready\n"
            return World(holder.pid, tmp_path, runtime, user)

        yield make


def laid(world: World) -> tuple[Path, Path, Path]:
    """Give the directory of services, one that starts no more than once, and one that counts into a log of the pool."""
    services = world.folder / "services"
    plain = service(services / "plain", "echo $$ >>starts; exec sleep 1000")
    counts = service(services / "counts", f"echo $$ >>starts; {COUNTS}", log="")
    log_in_pool(counts, world.runtime)
    subprocess.run(["chown", "-R", f"{world.user}:{world.user}", services], check=True)
    return services, plain, counts


def pids(*homes: Path) -> list[int]:
    until(lambda: all(stat(home) == "run" for home in homes), what="all run")
    return [pid_of(home) for home in homes]


def counted(home: Path) -> None:
    """Wait until every line of a service that counts is in its log, once."""
    (home / "stop").touch()
    last = int(written(home / "last"))
    main = home / "log/main"

    def lines() -> list[str]:
        return [line for path in (*sorted(main.glob("@*")), main / "current") for line in path.read_text().split()]

    until(lambda: lines() == [str(number) for number in range(last)], what="every line")


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("together", [False, True])
def test_the_next_runsvdir_takes_over_where_nothing_private_can_be_written(
    world: Callable[..., World], user: str, together: bool
) -> None:
    here = world(USERS[user], READ_ONLY_RUN)
    services, plain, counts = laid(here)
    with here.tree("runsvdir", services) as running:
        running.start()
        before, keeper = pids(plain, counts), running.keeper()
        (place,) = here.states()["/dev/shm"]
        assert (place.name, place.stat().st_uid, place.stat().st_mode & 0o7777) == (here.name(), here.user, 0o700)
        if together:
            running.kill_with_keeper()
        else:
            running.kill()
            until(lambda: here.sv("status", plain).startswith("run:"), what="a stand-in")
        running.start()
        until(lambda: running.supervises(plain, counts), what="the next runsvdir has them")
        assert (running.keeper() == keeper) is not together
        assert pids(plain, counts) == before
        assert [int(written(home / "starts")) for home in (plain, counts)] == before
        counted(counts)
        assert complaints(running).replace("runsvdir: warning: the keeper is gone, starting another; its services go on\n", "") == ""
        assert here.states() == {"/dev/shm": [place]}
        # Who asked each service would be told nothing now.
        (plain / "supervise/status").write_bytes(b"")
        until(lambda: here.sv("status", *[plain] * 60).count("run: ") == 60, what="sv finds the table there")
        assert running.kill(signal.SIGHUP) == 111
        until(lambda: running.processes() == [], what="all have ended")


@pytest.mark.parametrize("user", USERS)
def test_a_runsv_of_its_own_finds_its_service_again_where_nothing_private_can_be_written(
    world: Callable[..., World], user: str
) -> None:
    here = world(USERS[user], READ_ONLY_RUN)
    _services, plain, _counts = laid(here)
    with here.tree("runsv", plain) as running:
        running.start()
        before = pids(plain)
        running.kill()
        running.start()
        until(lambda: running.supervises(plain), what="the next runsv has it")
        assert pids(plain) == before
        assert here.sv("exit", plain).startswith("ok:")
        assert complaints(running) == ""


SQUATS = {
    "another user's": "mkdir -m 0777 {path}; chown 61014 {path}",
    "another user's with the tree's own in it": "mkdir -m 0755 {path}; mkdir -p {path}/trees/{key}; chown -R 61014 {path}",
    "a link": "mkdir -m 0700 /mnt/own; chown {user} /mnt/own; ln -s /mnt/own {path}",
    "a link that dangles": "ln -s /dev/shm/nothing {path}",
    "a file": "touch {path}; chown {user} {path}",
    "open to others": "mkdir -m 0711 {path}; chown {user} {path}",
    "in what others may rename": "chmod 0777 $(dirname {path})",
    "in what a stranger owns": "chown 61014 $(dirname {path})",
}


def squat(here: World, how: str, shared: str, services: Path) -> None:
    key = str(services).strip("/").replace("/", "+")
    here.do(SQUATS[how].format(path=f"{shared}/{here.name()}", user=here.user, key=key))


@pytest.mark.parametrize("how", SQUATS)
def test_a_place_that_another_one_has_or_may_take_is_not_used(world: Callable[..., World], how: str) -> None:
    here = world(NAMELESS)
    services, plain, counts = laid(here)
    squat(here, how, "/dev/shm", services)
    there = here.found(f"/dev/shm/{here.name()}")
    before = sorted(there.rglob("*")) if there.is_dir() else []
    with here.tree("runsvdir", services) as running:
        running.start()
        known = pids(plain, counts)
        (place,) = here.states()["/tmp"]
        assert (place.name, place.stat().st_uid, place.stat().st_mode & 0o7777) == (here.name(), here.user, 0o700)
        assert (sorted(there.rglob("*")) if there.is_dir() else []) == before
        assert not here.found("/dev/shm/nothing").exists()
        running.kill()
        running.start()
        until(lambda: running.supervises(plain, counts), what="the next runsvdir has them")
        assert pids(plain, counts) == known
        assert complaints(running) == ""


def test_where_all_places_are_taken_services_end_with_runsvdir_and_that_is_told(world: Callable[..., World]) -> None:
    here = world(NAMELESS)
    services, plain, counts = laid(here)
    squat(here, "another user's", "/dev/shm", services)
    squat(here, "open to others", "/tmp", services)
    with here.tree("runsvdir", services) as running:
        running.start()
        known = pids(plain, counts)
        name = here.name()
        assert running.stderr.read_text() == (
            f"runsvdir {services}: warning: services will end with this process: no state directory: /dev/shm/{name}: not a directory"
            f" of this user; remove it, or let RUNIT_PROVISION_STATE name another; /tmp/{name}: open to others, mode 0711;"
            f" chmod 700 /tmp/{name}\n"
        )
        assert here.sv("restart", plain).startswith("ok: run:")
        running.kill()
        until(lambda: running.supervisors() == [], what="nobody stands in")
        assert not any(supervision.is_alive(pid) for pid in known)


def test_a_tree_is_found_again_when_a_better_place_can_be_had(world: Callable[..., World]) -> None:
    here = world(0, READ_ONLY_RUN)
    services, plain, counts = laid(here)
    with here.tree("runsvdir", services) as running:
        running.start()
        before, keeper = pids(plain, counts), running.keeper()
        os.kill(keeper, signal.SIGSTOP)
        running.kill()
        os.kill(keeper, signal.SIGKILL)
        here.do("mount -o remount,rw /run")
        running.start()
        until(lambda: running.supervises(plain, counts), what="the next runsvdir has them")
        assert pids(plain, counts) == before
        assert [int(written(home / "starts")) for home in (plain, counts)] == before
        assert running.kill(signal.SIGHUP) == 111
        # Nothing is known there any more, so the next one begins where it should.
        running.start()
        until(lambda: running.supervises(plain, counts), what="they are supervised")
        keeper = running.keeper()
        assert any(path.startswith("/run/runit-provision/trees/") for path in supervision.opened(keeper).values())


@pytest.mark.parametrize("user", USERS)
def test_without_proc_services_start_are_logged_and_obey(world: Callable[..., World], user: str) -> None:
    here = world(USERS[user], NO_PROC)
    services, plain, counts = laid(here)
    # A logger that knows nothing of descriptors that do not block.
    cat = service(services / "cat", COUNTS, log="exec cat >>lines")
    subprocess.run(["chown", "-R", f"{here.user}:{here.user}", cat], check=True)
    with here.tree("runsvdir", services) as running:
        running.start()
        pids(plain, counts, cat, counts / "log", cat / "log")
        told = f"runsvdir {services}: warning: services will end with this process: /proc is not mounted\n"
        until(lambda: running.stderr.read_text() == told, what="it is told once")
        (first,) = pids(plain)
        assert here.sv("restart", plain).startswith("ok: run:")
        assert pids(plain) != [first]
        assert here.sv("down", plain).startswith("ok: down:")
        assert here.sv("status", *[plain] * 60).count("down: ") == 60
        counted(counts)
        (cat / "stop").touch()
        numbers = [str(number) for number in range(int(written(cat / "last")))]
        until(lambda: (cat / "log/lines").read_text().split() == numbers, what="every line")
        made = service(here.folder / "new", "exec sleep 1000")
        subprocess.run(["chown", "-R", f"{here.user}:{here.user}", made], check=True)
        new = made.rename(services / "new")
        (last,) = pids(new)
        new.rename(here.folder / "removed")
        until(lambda: not supervision.is_alive(last), what="what is removed ends")
        assert running.stderr.read_text() == told
        assert running.kill(signal.SIGHUP) == 111
        until(lambda: running.processes() == [], what="all have ended")


def test_without_proc_a_runsv_of_its_own_supervises(world: Callable[..., World]) -> None:
    here = world(NAMELESS, NO_PROC)
    _services, _plain, counts = laid(here)
    with here.tree("runsv", counts) as running:
        running.start()
        pids(counts, counts / "log")
        assert here.sv("restart", counts).startswith("ok: run:")
        assert here.sv("exit", counts).startswith("ok:")
        assert (
            running.stderr.read_text() == f"runsv {counts}: warning: the next runsv will not adopt this service: /proc is not mounted\n"
        )


def test_what_tells_of_another_pid_namespace_counts_as_no_proc(runtime: Path, tmp_path: Path) -> None:
    """What it says of a number is about somebody else."""
    oracle.root("makes a pid namespace")
    home = service(tmp_path / "services/a", "echo >>starts; exec sleep 1000")
    contain = [oracle.program("unshare", package="util-linux"), "--pid", "--fork", "--kill-child"]
    with started([*contain, runtime / "runsvdir", home.parent], stderr=subprocess.PIPE) as container:
        assert container.stderr is not None
        said = container.stderr.readline().decode()
        until(lambda: stat(home) == "run" and (home / "starts").exists(), what="it runs")
    assert said == f"runsvdir {home.parent}: warning: services will end with this process: /proc tells of another pid namespace\n"
