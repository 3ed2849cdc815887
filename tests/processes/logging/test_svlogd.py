"""What svlogd does that C's does not, or that needs a disk of its own."""

from __future__ import annotations

import itertools
import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest
from support import oracle, waiting

from runit_provision.runtime.shell.process import children
from runit_provision.runtime.wire import patterns


class Svlogd:
    """A logger fed by hand."""

    def __init__(self, program: str | Path, log: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [str(program), *options, str(log)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"}
        )
        assert self.process.stdin is not None
        self.input = self.process.stdin

    def feed(self, text: bytes) -> None:
        self.input.write(text)
        self.input.flush()

    def end(self) -> bytes:
        """End the input; give stderr."""
        _, stderr = self.process.communicate(timeout=waiting.DEADLINE)
        assert self.process.returncode == 0
        return stderr

    def die(self) -> None:
        """Kill it; a processor may have its stderr still."""
        self.process.kill()
        self.process.wait(waiting.DEADLINE)
        self.input.close()
        assert self.process.stderr is not None
        self.process.stderr.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    log = tmp_path / "log"
    log.mkdir()
    return log


def old(log: Path, suffix: str) -> list[Path]:
    return sorted(log.glob(f"@*.{suffix}"))


@pytest.mark.covers("svlogd", "unfinished .u, .t and .s files")
def test_a_processor_takes_up_what_a_crash_left(runtime: Path, log: Path) -> None:
    log.joinpath("config").write_bytes(b"!tr a-z A-Z\n")
    names = [f"@{number:024x}" for number in range(4)]
    log.joinpath(names[0] + ".u").write_bytes(b"first\n")
    log.joinpath(names[1] + ".u").write_bytes(b"second\n")
    log.joinpath(names[1] + ".t").write_bytes(b"SEC")
    log.joinpath(names[2] + ".u").write_bytes(b"done\n")  # killed between the last steps: .s is whole
    log.joinpath(names[2] + ".s").write_bytes(b"DONE\n")
    log.joinpath(names[2] + ".s").chmod(0o744)
    log.joinpath("newstate").write_bytes(b"its state")
    svlogd = Svlogd(runtime / "svlogd", log)
    waiting.until(lambda: not old(log, "u") and not old(log, "t"))
    assert svlogd.end() == b""
    assert [path.read_bytes() for path in old(log, "s")] == [b"FIRST\n", b"SECOND\n", b"DONE\n"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o744 for path in old(log, "s"))


def _rotating(runtime: Path, log: Path, config: bytes, *options: str, line: bytes) -> Svlogd:
    """Give a svlogd that has written `line` and was told to make current an old file, which its processor gets."""
    log.joinpath("config").write_bytes(config)
    svlogd = Svlogd(runtime / "svlogd", log, *options)
    svlogd.feed(line)
    waiting.until(lambda: log.joinpath("current").exists() and log.joinpath("current").read_bytes() == line)
    svlogd.process.send_signal(signal.SIGALRM)
    return svlogd


def test_a_processor_that_was_killed_is_run_again(runtime: Path, log: Path) -> None:
    svlogd = _rotating(
        runtime, log, b"!if test -e ../once; then cat; else touch ../once; printf cut; kill -9 $$; fi\n", line=b"whole\n"
    )
    waiting.until(lambda: old(log, "s"))
    assert svlogd.end() == b"svlogd: warning: processor failed, restart: " + bytes(log) + b"\n"
    assert [path.read_bytes() for path in old(log, "s")] == [b"whole\n"]
    assert not old(log, "u") and not old(log, "t")


def test_while_a_processor_fails_lines_are_taken(runtime: Path, log: Path) -> None:
    svlogd = _rotating(runtime, log, b"s99999999\n!test -e ../mended\n", line=b"line\n")
    assert svlogd.process.stderr is not None
    failed = b"svlogd: warning: processor failed, restart: " + bytes(log) + b"\n"
    assert svlogd.process.stderr.readline() == failed
    # More than a hundred reads; were each to wait for the next failure, it would be as many of them.
    text = (b"x" * 99 + b"\n") * 80000
    svlogd.feed(text)
    waiting.until(lambda: log.joinpath("current").stat().st_size == len(text), what="all is written")
    log.parent.joinpath("mended").touch()
    assert svlogd.end().count(failed) < 50
    assert log.joinpath("current").read_bytes() == text


def test_a_processor_that_fails_again_and_again_rests_a_second_each_time(runtime: Path, log: Path) -> None:
    runs = log.parent / "runs"
    svlogd = _rotating(runtime, log, b"!read up _ </proc/uptime; echo $up >>../runs; [ $(wc -l <../runs) = 5 ]\n", line=b"line\n")
    waiting.until(runs.exists, what="it has begun")
    assert svlogd.end().count(b"processor failed, restart") == 4
    times = [float(line) for line in runs.read_text().split()]
    rests = [after - before for before, after in itertools.pairwise(times)]
    assert len(rests) == 4 and min(rests) >= 0.99, rests  # as the kernel tells it, in hundredths


@pytest.mark.parametrize("options", [("-b", "99999999999"), ("-b", "9" * 30), ("-l", "99999999999", "-b", "999999999999")])
def test_a_buffer_that_no_memory_has_room_for_is_as_long_as_any_read(runtime: Path, log: Path, options: tuple[str, ...]) -> None:
    svlogd = Svlogd(runtime / "svlogd", log, *options)
    svlogd.feed(b"line\n")
    assert svlogd.end() == b""
    assert log.joinpath("current").read_bytes() == b"line\n"


def test_a_processor_goes_on_through_hup(runtime: Path, log: Path) -> None:
    gate = log.parent / "gate"
    os.mkfifo(gate)
    svlogd = _rotating(runtime, log, b"!cat ../gate -\n", "-v", line=b"line\n")
    waiting.until(lambda: old(log, "t"))
    svlogd.process.send_signal(signal.SIGHUP)
    svlogd.feed(b"more\n")
    waiting.until(lambda: log.joinpath("current").read_bytes() == b"more\n")
    gate.write_bytes(b"gate\n")
    waiting.until(lambda: old(log, "s"))
    assert b"close: " in svlogd.end()
    assert [path.read_bytes() for path in old(log, "s")] == [b"gate\nline\n"]


def test_a_processor_that_fails_when_its_directory_was_moved_away_ends_no_other_log(runtime: Path, log: Path) -> None:
    other = log.parent / "other"
    other.mkdir()
    gate = log.parent / "gate"
    os.mkfifo(gate)
    svlogd = _rotating(runtime, log, b"!read said <../gate; exit 1\n", str(other), line=b"line\n")
    waiting.until(lambda: old(log, "t"))
    log.rename(log.parent / "moved")
    svlogd.process.send_signal(signal.SIGHUP)
    svlogd.feed(b"more\n")
    gate.write_bytes(b"fail\n")
    waiting.until(lambda: other.joinpath("current").read_bytes() == b"more\n", what="the other log has it")
    waiting.until(lambda: not children(svlogd.process.pid), what="its end was seen")
    log.parent.joinpath("moved").rename(log)
    log.joinpath("config").write_bytes(b"!cat\n")
    svlogd.process.send_signal(signal.SIGHUP)
    waiting.until(lambda: old(log, "s"), what="it is processed")
    svlogd.end()
    assert [path.read_bytes() for path in old(log, "s")] == [b"line\n"]


def test_where_every_file_is_executable_what_a_crash_left_is_not_taken_for_whole(runtime: Path, log: Path) -> None:
    """As on filesystems of other systems: the mode tells nothing."""
    name = f"@{1:024x}"
    for file, text in (("config", b"!tr a-z A-Z\n"), (f"{name}.u", b"first\n"), (f"{name}.t", b"FIR"), ("lock", b"")):
        log.joinpath(file).write_bytes(text)
        log.joinpath(file).chmod(0o755)
    svlogd = Svlogd(runtime / "svlogd", log)
    waiting.until(lambda: not old(log, "u") and not old(log, "t"))
    assert svlogd.end() == b""
    assert [path.read_bytes() for path in old(log, "s")] == [b"FIRST\n"]


def _told_hup(svlogd: Svlogd, log: Path, config: bytes) -> None:
    """Let a svlogd with -v that waits for input have another config."""
    log.joinpath("config").write_bytes(config)
    assert svlogd.process.stderr is not None
    svlogd.process.send_signal(signal.SIGHUP)
    while svlogd.process.stderr.readline() != b"svlogd: info: append: " + bytes(log) + b"/current\n":
        pass


def test_a_file_whose_processor_failed_and_was_taken_away_waits_for_the_next_one(runtime: Path, log: Path) -> None:
    svlogd = _rotating(runtime, log, b"!exit 1\n", "-v", line=b"line\n")
    failed = b"svlogd: warning: processor failed, restart: " + bytes(log) + b"\n"
    assert svlogd.process.stderr is not None
    _told_hup(svlogd, log, b"")
    while svlogd.process.stderr.readline() != failed:
        pass
    _told_hup(svlogd, log, b"!tr a-z A-Z\n")
    waiting.until(lambda: old(log, "s"), what="it is processed")
    svlogd.end()
    assert [path.read_bytes() for path in old(log, "s")] == [b"LINE\n"]
    assert not old(log, "u") and not old(log, "t")


def test_files_that_wait_for_a_processor_that_was_taken_away_are_kept(runtime: Path, log: Path) -> None:
    names = [f"@{number:024x}" for number in range(3)]
    for name in names:
        log.joinpath(name + ".u").write_bytes(name.encode())
    gate = log.parent / "gate"
    os.mkfifo(gate)
    log.joinpath("config").write_bytes(b"!cat ../gate -\n")
    svlogd = Svlogd(runtime / "svlogd", log, "-v")
    waiting.until(lambda: old(log, "t"), what="the first is being processed")
    _told_hup(svlogd, log, b"")
    gate.write_bytes(b"")
    waiting.until(lambda: not old(log, "t"), what="it has been")
    _told_hup(svlogd, log, b"!cat\n")
    waiting.until(lambda: not old(log, "u"), what="all are processed")
    svlogd.end()
    assert [path.read_bytes() for path in old(log, "s")] == [name.encode() for name in names]


def test_a_processor_that_outlives_its_svlogd_alters_nothing_of_the_next_ones(runtime: Path, log: Path) -> None:
    first, second = log.parent / "first", log.parent / "second"
    os.mkfifo(first)
    os.mkfifo(second)
    # Each says its line when it is let go, into what comes of the log and into the state for the next one.
    config = b"!if test -e ../begun; then gate=second; else touch ../begun; gate=first; fi; read said <../$gate; "
    config += b"cat; echo $said; echo $said >&5; echo done >../$gate.done\n"
    svlogd = _rotating(runtime, log, config, line=b"line\n")
    waiting.until(lambda: log.parent.joinpath("begun").exists(), what="the first has begun")
    svlogd.die()
    svlogd = Svlogd(runtime / "svlogd", log)
    second.write_bytes(b"second\n")
    waiting.until(lambda: old(log, "s"), what="the second has ended")
    first.write_bytes(b"first\n")
    waiting.until(lambda: log.parent.joinpath("first.done").exists(), what="the first has ended")
    assert svlogd.end() == b""
    assert [path.read_bytes() for path in old(log, "s")] == [b"line\nsecond\n"]
    assert log.joinpath("state").read_bytes() == b"second\n"


@pytest.mark.covers("svlogd", "a full disk")
@pytest.mark.parametrize("world", ["C", "ours"])
def test_on_a_full_disk_it_waits_and_loses_nothing(runtime: Path, small: Path, world: str) -> None:
    program = oracle.program("svlogd", package="runit") if world == "C" else runtime / "svlogd"
    log = small / "log"
    log.mkdir()
    log.joinpath("config").write_bytes(b"s0\n")
    ballast = small / "ballast"
    ballast.write_bytes(b"x" * 40000)
    text = b"".join(b"line %d\n" % number for number in range(4000))
    svlogd = Svlogd(program, log)
    assert svlogd.process.stderr is not None
    svlogd.feed(text)
    line = svlogd.process.stderr.readline()
    assert line == b"svlogd: pausing: unable to write to current: " + bytes(log) + b": out of disk space\n"
    ballast.unlink()
    svlogd.end()
    assert log.joinpath("current").read_bytes() == text


def test_a_file_that_may_grow_no_more_is_full(runtime: Path, log: Path) -> None:
    """C's svlogd is ended by SIGXFSZ there; its successor begins another file, and what it had read is lost."""
    text = b"".join(b"%05d\n" % number for number in range(50000))
    limited = ["/bin/sh", "-c", 'ulimit -f 200; exec "$@"', "sh", str(runtime / "svlogd"), str(log)]  # 102,400 bytes
    done = subprocess.run(limited, input=text, capture_output=True, env={"PATH": "/usr/bin:/bin"}, check=True, timeout=waiting.DEADLINE)
    assert done.stderr == b""
    first, *others = old(log, "s")
    assert first.stat().st_size == 102400
    assert all(path.stat().st_size <= 102400 and path.read_bytes().endswith(b"\n") for path in others)
    assert b"".join(path.read_bytes() for path in (first, *others, log / "current")) == text


@pytest.mark.parametrize("world", ["C", "ours"])
def test_on_a_full_disk_the_oldest_go_down_to_the_least_number(runtime: Path, small: Path, world: str) -> None:
    program = oracle.program("svlogd", package="runit") if world == "C" else runtime / "svlogd"
    log = small / "log"
    log.mkdir()
    log.joinpath("config").write_bytes(b"s8192\nn100\nN2\n")
    text = b"".join(b"line %d\n" % number for number in range(20000))
    svlogd = Svlogd(program, log)
    svlogd.feed(text)
    stderr = svlogd.end()
    assert b"svlogd: warning: out of disk space, delete: " + bytes(log) + b"/@" in stderr
    assert b"pausing" not in stderr
    kept = b"".join(path.read_bytes() for path in [*old(log, "s"), log / "current"])
    assert text.endswith(kept)
    assert len(old(log, "s")) >= 2


@pytest.mark.parametrize("least", [0, 1])
def test_on_a_full_disk_nothing_goes_that_is_to_be_processed(runtime: Path, small: Path, least: int) -> None:
    """C's svlogd removes input and output of its processor as well, and waits then for the latter without end."""
    log, go = small / "log", small.parent / "go"
    log.mkdir()
    log.joinpath("config").write_bytes(b"s0\nn5\nN%d\n!while [ ! -e ../../go ]; do sleep 0.05; done; exec cat\n" % least)
    names = [f"@{number:024x}" for number in range(3)]
    for name, text in zip((names[0] + ".s", names[1] + ".u", names[2] + ".u"), (b"old\n", b"first\n", b"second\n"), strict=True):
        log.joinpath(name).write_bytes(text)
    (ballast := small / "ballast").write_bytes(b"x" * 35000)
    svlogd = Svlogd(runtime / "svlogd", log)
    assert svlogd.process.stderr is not None
    waiting.until(lambda: old(log, "t"), what="the first is being processed")
    text = b"".join(b"line %d\n" % number for number in range(4000))
    svlogd.feed(text)
    if least == 0:
        deleted = b"svlogd: warning: out of disk space, delete: %b/%b.s\n" % (bytes(log), names[0].encode())
        assert svlogd.process.stderr.readline() == deleted
    pausing = b"svlogd: pausing: unable to write to current: %b: out of disk space\n" % bytes(log)
    assert svlogd.process.stderr.readline() == pausing
    svlogd.process.send_signal(signal.SIGTERM)
    ballast.unlink()
    go.touch()
    assert svlogd.process.wait(waiting.DEADLINE) == 0, "TERM ends it when there is room"
    assert svlogd.end().replace(pausing, b"") == b""
    assert [path.read_bytes() for path in old(log, "s")] == [b"old\n"] * least + [b"first\n", b"second\n"]
    assert log.joinpath("current").read_bytes() == text
    assert not old(log, "u") and not old(log, "t")


def test_where_a_full_disk_fails_a_processor_the_oldest_go_down_to_the_least_number(runtime: Path, small: Path) -> None:
    """In C it is started again and again, until somebody else makes room."""
    log = small / "log"
    log.mkdir()
    log.joinpath("config").write_bytes(b"s0\nn9\nN1\n!cat\n")
    names = [f"@{number:024x}" for number in range(4)]
    for name, suffix in zip(names, (".s", ".s", ".s", ".u"), strict=True):
        log.joinpath(name + suffix).write_bytes(name.encode() * 300)
    with (small / "ballast").open("wb", buffering=0) as ballast, pytest.raises(OSError, match="No space"):
        while True:
            ballast.write(bytes(4096))
    svlogd = Svlogd(runtime / "svlogd", log)
    waiting.until(lambda: not old(log, "u") and not old(log, "t"), what="it is processed")
    svlogd.process.send_signal(signal.SIGTERM)
    assert svlogd.process.wait(waiting.DEADLINE) == 0
    deleted = [b"svlogd: warning: out of disk space, delete: %b/%b.s" % (bytes(log), name.encode()) for name in names]
    assert [line for line in svlogd.end().splitlines() if b"delete" in line] == deleted[: 4 - len(old(log, "s"))]
    assert old(log, "s")[-1].read_bytes() == names[3].encode() * 300


def test_what_somebody_removes_that_a_processor_has_made_is_made_anew(runtime: Path, log: Path) -> None:
    svlogd = _rotating(runtime, log, b"!while [ ! -e ../go ]; do sleep 0.05; done; exec cat\n", line=b"line\n")
    (made,) = waiting.until(lambda: old(log, "t"))
    made.unlink()
    log.parent.joinpath("go").touch()
    waiting.until(lambda: old(log, "s"))
    svlogd.process.send_signal(signal.SIGTERM)
    assert svlogd.process.wait(waiting.DEADLINE) == 0
    gone = b"svlogd: warning: unable to set mode of processed: %b: file does not exist\n" % bytes(log)
    assert svlogd.end() == gone + b"svlogd: warning: processor failed, restart: %b\n" % bytes(log)
    assert [path.read_bytes() for path in old(log, "s")] == [b"line\n"]
    assert not old(log, "u") and not old(log, "t")


def test_what_somebody_removes_that_is_to_be_processed_is_told_and_over(runtime: Path, log: Path) -> None:
    log.joinpath("config").write_bytes(b"!test -e ../go && exec cat\n")
    names = [f"@{number:024x}.u" for number in range(3)]
    for name in names:
        log.joinpath(name).write_bytes(name.encode())
    svlogd = Svlogd(runtime / "svlogd", log)
    assert svlogd.process.stderr is not None
    failed = b"svlogd: warning: processor failed, restart: " + bytes(log) + b"\n"
    assert svlogd.process.stderr.readline() == failed
    for name in names[:2]:  # one whose processor fails, and one that waits
        log.joinpath(name).unlink()
    told = [next(line for line in svlogd.process.stderr if line != failed), svlogd.process.stderr.readline()]
    gone = b"svlogd: warning: unable to open input for processor: %b/%b: file does not exist\n"
    assert told == [gone % (bytes(log), name.encode()) for name in names[:2]]
    log.parent.joinpath("go").touch()
    waiting.until(lambda: old(log, "s"), what="the third is processed")
    svlogd.process.send_signal(signal.SIGTERM)
    assert svlogd.process.wait(waiting.DEADLINE) == 0
    assert svlogd.end().replace(failed, b"") == b""
    assert [path.read_bytes() for path in old(log, "s")] == [names[2].encode()]


@pytest.mark.covers("svlogd", "several directories")
def test_several_directories_get_the_same_lines(runtime: Path, tmp_path: Path) -> None:
    logs = [tmp_path / name for name in ("one", "two", "three")]
    for log in logs[:2]:
        log.mkdir()
    logs[1].joinpath("config").write_bytes(b"-*b*\n")
    done = subprocess.run([runtime / "svlogd", *logs], input=b"a\nb\n", capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (
        0,
        b"svlogd: warning: unable to open log directory: %b: file does not exist\n" % bytes(logs[2]),
    )
    assert [log.joinpath("current").read_bytes() for log in logs[:2]] == [b"a\nb\n", b"a\n"]


def test_an_old_current_is_rotated_though_nothing_comes(runtime: Path, log: Path) -> None:
    log.joinpath("config").write_bytes(b"t1\n")
    svlogd = Svlogd(runtime / "svlogd", log)
    svlogd.feed(b"line\n")
    waiting.until(lambda: old(log, "s"))
    assert svlogd.end() == b""
    assert [path.read_bytes() for path in old(log, "s")] == [b"line\n"]


def test_it_runs_within_twenty_megabytes(runtime: Path, log: Path) -> None:
    log.joinpath("config").write_bytes(b"-*77*\n")
    text = b"".join(b"%d\n" % number for number in range(100000))
    limit = "import resource, os, sys; resource.setrlimit(resource.RLIMIT_AS, (20000000,) * 2); os.execv(sys.argv[1], sys.argv[1:])"
    words = ["/usr/bin/python3", "-c", limit, str(runtime / "svlogd"), "-tt", str(log)]
    done = subprocess.run(words, input=text, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = sum(path.read_bytes().count(b"\n") for path in [*old(log, "s"), log / "current"])
    assert lines == sum(not patterns.match(b"*77*", line) for line in text.splitlines())


@pytest.mark.parametrize("mode", [0o1777, 0o770])
def test_no_processor_is_run_where_another_account_can_write(runtime: Path, log: Path, mode: int) -> None:
    """Nor one that root's own file names: that may be a log by another name."""
    oracle.root("has a directory in which another account can write")
    log.chmod(mode)
    log.joinpath("config").write_bytes(b"s0\n!echo run >../run; cat\n")
    svlogd = Svlogd(runtime / "svlogd", log)
    svlogd.feed(b"a line\n")
    waiting.until(lambda: (log / "current").exists() and (log / "current").read_bytes() == b"a line\n", what="it is written")
    svlogd.process.send_signal(signal.SIGALRM)
    waiting.until(lambda: old(log, "s"), what="it is rotated")
    svlogd.process.send_signal(signal.SIGTERM)
    assert svlogd.process.wait(waiting.DEADLINE) == 0
    assert not log.parent.joinpath("run").exists()
    assert svlogd.end() == b"svlogd: warning: others can write there, no processor is run: %b/config\n" % bytes(log)


def test_a_config_that_is_too_long_is_none(runtime: Path, log: Path) -> None:
    """Whoever owns the directory may make it as long as he likes, and all logs of its file system wait meanwhile."""
    log.joinpath("config").write_bytes(b"-*\n")
    os.truncate(log / "config", 1 << 40)
    svlogd = Svlogd(runtime / "svlogd", log)
    svlogd.feed(b"a line\n")
    waiting.until(lambda: (log / "current").exists() and (log / "current").read_bytes() == b"a line\n", what="it is written")
    assert svlogd.end() == b"svlogd: warning: unable to read config: %b: file too big\n" % bytes(log)


def test_on_a_file_system_that_counts_no_blocks_a_processor_that_fails_costs_no_file(runtime: Path, log: Path) -> None:
    oracle.root("mounts a ramfs")
    subprocess.run(["mount", "-t", "ramfs", "none", log], check=True)
    try:
        log.chmod(0o755)
        for number in range(4):
            log.joinpath(f"@{number:024x}.s").write_bytes(b"old\n")
            log.joinpath(f"@{number:024x}.s").chmod(0o744)
        svlogd = _rotating(runtime, log, b"n10\nN2\n!if test -e ../once; then cat; else touch ../once; exit 1; fi\n", line=b"line\n")
        waiting.until(lambda: not old(log, "u") and log.parent.joinpath("once").exists() and len(old(log, "s")) == 5)
        assert svlogd.end() == b"svlogd: warning: processor failed, restart: %b\n" % bytes(log)
    finally:
        subprocess.run(["umount", log], check=True)
