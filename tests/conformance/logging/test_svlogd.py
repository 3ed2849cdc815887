"""What svlogd's manual says, told by both loggers: usage, messages, rotation by signal, recovery, processors."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from support import fifo, oracle, waiting

from . import worlds


@pytest.fixture
def both(runtime: Path) -> tuple[str, str]:
    return oracle.program("svlogd", package="runit"), str(runtime / "svlogd")


@pytest.fixture
def scratch() -> Iterator[Path]:
    path = worlds.scratch()
    yield path
    shutil.rmtree(path)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-x", "log"],
        ["-l"],
        ["-r", "ab", "log"],
        ["-r", "", "log"],
        ["-l", "2000", "log"],
        ["-b", "100", "log"],
        ["missing"],
        ["missing", "absent"],
        ["file"],
    ],
)
def test_bad_input_is_told_the_same_way(both: tuple[str, str], scratch: Path, arguments: list[str]) -> None:
    scratch.joinpath("log").mkdir()
    scratch.joinpath("file").touch()
    told = []
    for program in both:
        run = subprocess.run([program, *arguments], cwd=scratch, input=b"a line\n", capture_output=True, check=False)
        told.append((run.returncode, run.stdout, run.stderr.replace(program.encode(), b"svlogd")))
    assert told[0] == told[1]
    assert told[0][0] == 111


class Session:
    """A logger that is fed by hand."""

    def __init__(
        self, program: str, log: Path, *options: str, env: Mapping[str, str] = MappingProxyType({"PATH": "/usr/bin:/bin"})
    ) -> None:
        self.log = log
        self.process = subprocess.Popen(
            [program, *options, log.name], cwd=log.parent, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=env
        )
        assert self.process.stdin
        self.input = self.process.stdin
        waiting.until(lambda: (log / "current").exists() and not (log / "current").stat().st_mode & 0o100, what="it is open")

    def feed(self, text: bytes) -> None:
        """Write and wait until the logger has it, which it has written then at the latest when it reads again."""
        self.input.write(text)
        self.input.flush()
        waiting.until(lambda: not fifo.unread(self.input.fileno()), what="the logger reads")

    def wrote(self, text: bytes) -> None:
        waiting.until(lambda: self.current() == text, what="current")

    def current(self) -> bytes | None:
        try:
            return (self.log / "current").read_bytes()
        except FileNotFoundError:
            return None  # it is being rotated

    def signal(self, number: int) -> None:
        """Send a signal to the logger that sleeps: C's forgets, until there is input, one that comes just before it does."""
        waiting.until(lambda: worlds.waits(self.process), what="the logger waits for more")
        self.process.send_signal(number)

    def end(self) -> worlds.Outcome:
        self.input.close()
        assert self.process.stderr
        with self.process.stderr as stream:
            stderr = stream.read()
        status = self.process.wait(waiting.DEADLINE)
        return worlds.Outcome(status, stderr.translate(worlds.STAMP), (worlds.seen(self.log),))


@pytest.fixture
def log(scratch: Path) -> Path:
    path = scratch / "log"
    path.mkdir()
    return path


def both_ways(both: tuple[str, str], log: Path, play: Callable[[str], worlds.Outcome]) -> worlds.Outcome:
    """Play the same with both loggers, each in an empty directory, and give the outcome that both had."""
    outcomes = []
    for program in both:
        shutil.rmtree(log)
        log.mkdir()
        outcomes.append(play(program))
    assert outcomes[1] == outcomes[0]
    return outcomes[1]


@pytest.mark.covers("svlogd", "signal ALRM")
def test_alrm_rotates_what_is_not_empty(both: tuple[str, str], log: Path) -> None:
    def play(program: str) -> worlds.Outcome:
        session = Session(program, log, "-v")
        session.feed(b"one\n")
        session.wrote(b"one\n")
        session.signal(signal.SIGALRM)
        session.wrote(b"")
        session.feed(b"two\n")
        return session.end()

    outcome = both_ways(both, log, play)
    assert outcome.directories[0].old == ((".s", 0o744, 4),)
    assert outcome.directories[0].text == b"one\ntwo\n".translate(worlds.STAMP)


@pytest.mark.covers("svlogd", "signal HUP")
def test_hup_reads_the_config_again(both: tuple[str, str], log: Path) -> None:
    def play(program: str) -> worlds.Outcome:
        session = Session(program, log, "-v")
        session.feed(b"one\n")
        session.wrote(b"one\n")
        log.joinpath("config").write_bytes(b"pnew: \nbad\nux\n")
        before = log.joinpath("current").stat().st_ctime_ns
        session.signal(signal.SIGHUP)
        waiting.until(lambda: log.joinpath("current").stat().st_ctime_ns != before, what="current closed and opened")
        waiting.until(lambda: not log.joinpath("current").stat().st_mode & 0o100, what="current open")
        session.feed(b"two\n")
        session.wrote(b"one\nnew: two\n")
        return session.end()

    both_ways(both, log, play)


@pytest.mark.parametrize("taken", [b"-*\n", b"+*\n"])
def test_hup_that_takes_patterns_away_lets_every_line_be_written(runtime: Path, log: Path, taken: bytes) -> None:
    log.joinpath("config").write_bytes(taken)
    steps: list[bytes | worlds.Told] = [b"one\n", worlds.Told(signal.SIGHUP, (b"",)), b"two\n"]
    outcome = worlds.run(str(runtime / "svlogd"), [], [log], steps)
    assert outcome.directories[0].text == (b"two\n" if taken == b"-*\n" else b"one\ntwo\n").translate(worlds.STAMP)


def test_lines_that_were_read_at_once_have_one_time_and_later_ones_a_later(both: tuple[str, str], scratch: Path) -> None:
    for program, same in zip(both, (False, True), strict=True):
        log = scratch / str(same)
        log.mkdir()

        def written(current: Path = log / "current") -> bytes:
            return current.read_bytes() if current.exists() else b""

        with subprocess.Popen([program, "-t", log], stdin=subprocess.PIPE) as logger:
            assert logger.stdin is not None
            for text in (b"one\ntwo\n", b"three\n"):
                os.write(logger.stdin.fileno(), text)
                waiting.until(lambda text=text: written().endswith(text[-4:]), what="written")  # type: ignore[misc]
            logger.stdin.close()
        one, two, three = (line.split()[0] for line in written().splitlines())
        assert (one == two) is same
        assert one <= two < three


@pytest.mark.covers("svlogd", "unfinished .u, .t and .s files")
def test_what_a_crash_left_is_set_aside(both: tuple[str, str], log: Path) -> None:
    def play(program: str) -> worlds.Outcome:
        log.joinpath("config").write_bytes(b"n1\n")
        log.joinpath("current").write_bytes(b"crashed\n")
        log.joinpath("@" + "0" * 24 + ".s").write_bytes(b"old\n")
        log.joinpath("@" + "0" * 24 + ".t").write_bytes(b"unfinished\n")
        session = Session(program, log, "-v")
        session.feed(b"more\n")
        return session.end()

    outcome = both_ways(both, log, play)
    assert [suffix for suffix, _, _ in outcome.directories[0].old] == [".s", ".u"]


@pytest.mark.parametrize("number", [None, signal.SIGHUP], ids=["end of input", "HUP"])
def test_a_log_directory_that_vanishes_while_it_is_used(both: tuple[str, str], log: Path, number: int | None) -> None:
    def play(program: str) -> worlds.Outcome:
        session = Session(program, log, "-v")
        session.feed(b"one\n")
        session.wrote(b"one\n")
        shutil.rmtree(log)
        if number is not None:
            session.signal(number)
            session.process.wait(waiting.DEADLINE)
        log.mkdir()
        return session.end()

    assert both_ways(both, log, play).status == (0 if number is None else 111)


@pytest.mark.covers("svlogd", "old files' names and counts")
@pytest.mark.parametrize("old", [["0.x", "1.s", "2.s"], ["0.u", "1.s", "2.s"], ["0.s", "1.u"], ["0.t", "1.s"]])
def test_the_oldest_goes_but_never_what_waits_to_be_processed(both: tuple[str, str], log: Path, old: list[str]) -> None:
    def play(program: str) -> worlds.Outcome:
        log.joinpath("config").write_bytes(b"n1\n")
        for name in old:
            log.joinpath("@" + "0" * 23 + name).write_bytes(b"kept\n")
        session = Session(program, log, "-v")
        session.feed(b"new\n")
        session.wrote(b"new\n")
        session.signal(signal.SIGALRM)
        session.wrote(b"")
        return session.end()

    both_ways(both, log, play)


@pytest.mark.covers("svlogd", "a processor with its saved state")
@pytest.mark.covers("svlogd", "!")
def test_a_processor_gets_file_and_state(both: tuple[str, str], log: Path) -> None:
    def play(program: str) -> worlds.Outcome:
        log.joinpath("config").write_bytes(b"s20\n!tr g-z G-Z; { cat <&4; echo x; } >&5\n")
        session = Session(program, log, "-l", "5", "-v")
        for text in (b"one more line\nover\n", b"two more line\nover\n"):
            old = len(list(log.glob("@*.s")))
            session.feed(text)
            waiting.until(lambda old=old: len(list(log.glob("@*.s"))) > old and not list(log.glob("@*.[tu]")), what="processed")  # type: ignore[misc]
        return session.end()

    outcome = both_ways(both, log, play)
    assert outcome.directories[0].text.startswith(b"ON# MOR# LIN#\nOV#R\n")
    assert log.joinpath("state").read_bytes() == b"x\nx\n"


@pytest.mark.covers("svlogd", "!")
@pytest.mark.parametrize("env", [{"PATH": "/nope"}, {}, {"PWD": "/", "OLDPWD": "/tmp", "LC_ALL": "C", "word": "a b"}], ids=repr)
def test_a_processor_finds_what_svlogd_was_given(both: tuple[str, str], log: Path, env: dict[str, str]) -> None:
    found: list[str] = []

    def play(program: str) -> worlds.Outcome:
        log.joinpath("config").write_bytes(
            b'!export -p; pwd; echo "$0 $#"; umask; ulimit -a; for fd in /proc/self/fd/*; do echo $fd; done\n'
        )
        session = Session(program, log, env=env)
        session.feed(b"a line\n")
        session.wrote(b"a line\n")
        session.signal(signal.SIGALRM)
        waiting.until(lambda: list(log.glob("@*.s")) and not list(log.glob("@*.[tu]")), what="processed")
        found.append(next(log.glob("@*.s")).read_text())
        return session.end()

    both_ways(both, log, play)
    assert found[0] == found[1]
    assert f"export PWD='{log}'" in found[0]


@pytest.mark.parametrize("standard_input", ["<&-", ">/dev/null 0>&1"], ids=["closed", "not to be read"])
def test_an_input_that_cannot_be_read_is_at_its_end(both: tuple[str, str], log: Path, standard_input: str) -> None:
    def play(program: str) -> worlds.Outcome:
        command = ["sh", "-c", f'exec "$0" log {standard_input}', program]
        ended = subprocess.run(command, cwd=log.parent, capture_output=True, timeout=waiting.DEADLINE, check=False)
        # The reason is its own: C's has opened the log directory where the input was closed.
        warning, _, reason = ended.stderr.rpartition(b": ")
        assert reason
        return worlds.Outcome(ended.returncode, warning, (worlds.seen(log),))

    outcome = both_ways(both, log, play)
    assert outcome.status == 0
    assert outcome.stderr == b"svlogd: warning: unable to read standard input"


@pytest.mark.covers("svlogd", "u", "U")
def test_lines_go_to_udp_too_or_only_there(both: tuple[str, str], log: Path) -> None:
    for letter in b"uU":
        received: list[list[bytes]] = []

        def play(program: str, letter: int = letter, received: list[list[bytes]] = received) -> worlds.Outcome:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
                listener.bind(("127.0.0.1", 0))
                listener.settimeout(waiting.DEADLINE)
                log.joinpath("config").write_bytes(b"%c127.0.0.1:%d\np> \n-*nothing*\n" % (letter, listener.getsockname()[1]))
                session = Session(program, log, "-tt", "-l", "20")
                session.feed(b"short\nnothing\n" + b"k" * 30 + b"\nlast\n")
                received.append([listener.recv(1000).translate(worlds.STAMP) for _ in range(3)])
                outcome = session.end()
            log.joinpath("config").unlink()
            return worlds.Outcome(outcome.status, outcome.stderr, (worlds.seen(log),))

        outcome = both_ways(both, log, play)
        assert received[0] == received[1]
        assert received[0][1].endswith(b" > " + b"k" * 20 + b"###\n")
        assert bool(outcome.directories[0].text) is (letter == ord("u"))


def test_a_locked_directory_is_left_alone(both: tuple[str, str], log: Path, scratch: Path) -> None:
    held = Session(both[0], log)
    told = [subprocess.run([program, "log"], cwd=scratch, input=b"", capture_output=True, check=False) for program in both]
    assert [(run.returncode, run.stderr) for run in told] == [(told[0].returncode, told[0].stderr)] * 2
    assert held.end().status == 0


@pytest.mark.covers("svlogd", "signal TERM")
def test_term_ends_and_leaves_the_rest_to_the_next(both: tuple[str, str], log: Path) -> None:
    # C drops the last line that it has read (see README, "Differences from runit"), so only ours is asked.
    session = Session(both[1], log)
    session.feed(b"whole\nbeg")
    session.signal(signal.SIGTERM)
    os.write(session.input.fileno(), b"un\nnext\n")
    assert session.process.wait(waiting.DEADLINE) == 0
    assert log.joinpath("current").read_bytes() == b"whole\nbegun\n"
    assert fifo.unread(session.input.fileno()) == len(b"next\n")
    session.end()
