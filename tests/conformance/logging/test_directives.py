"""svlogd(8), option by option and directive by directive: both loggers leave the same files and say the same."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import oracle, waiting

from . import worlds

LINES = b"".join(b"line number %c, of no great length\n" % letter for letter in b"ghijklmnopqrstuvwxyz")
ODD = b"plain\ntab\there\nnul\0 and \x7f and \xff\numlaut \xc3\xbc\nbrackets [x] {y}\n\nlast without newline"
NUMBERED = b"".join(b"line %d\n" % number for number in range(800))
TALK = b"gin: 1\ngin: 2\nrum: 1\nkirsch\n gin\ngin\n"

CASES: dict[str, tuple[list[str], bytes, bytes]] = {
    "-t": (["-t"], b"", LINES),
    "-tt": (["-tt"], b"", LINES),
    "-ttt": (["-ttt"], b"", LINES),
    "-r": (["-r", "_"], b"", ODD),
    "-R": (["-R", "[]{}"], b"", ODD),
    "-R with -r": (["-R", "ln", "-r", "#"], b"", ODD),
    "-l": (["-l", "10"], b"s50\n-line number*\n", LINES),
    "-b": (["-b", "4096", "-l", "2000"], b"s4000\n", LINES * 20),
    "-v": (["-v"], b"s100\nn3\n", LINES),
    "s": (["-l", "20"], b"s100\n", LINES),
    "s zero": ([], b"s0\n", LINES * 3),
    "s with k and m": (["-l", "99"], b"s1k\n", LINES * 4),
    "n": (["-l", "20"], b"s100\nn2\n", LINES),
    "n zero": (["-l", "20"], b"s100\nn0\n", LINES),
    "N": (["-v", "-l", "20"], b"s100\nn2\nN5\n", LINES),
    "t of more than the kernel sleeps": (["-v"], b"t720h\n", TALK),
    "t of aeons": (["-v"], b"t99999999999h\n", TALK),
    "p": (["-tt"], b"phere: \n", TALK),
    "-": ([], b"-gin*\n", TALK),
    "+": ([], b"-*\n+gin: *\n", TALK),
    "e": (["-t"], b"egin*\n", TALK),
    "E": (["-r", "."], b"e*\nEgin: *\n-rum*\n", TALK),
    "hundreds of -": (["-t"], b"".join(b"-*%d\n" % number for number in range(700)), NUMBERED),
    "hundreds of - and +": ([], b"".join(b"%c*%d\n" % (b"-+"[number % 2], number) for number in range(700)), NUMBERED),
    "hundreds of plusses": ([], b"-" + b"+g+h" * 300 + b"\n", b"gh" * 300 + b"\nggh\nhg\n" + b"gh" * 300 + b"g\n"),
    "#": ([], b"#-*\n\n -*\n", TALK),
    "last line without newline": ([], b"-rum*", TALK),
    "unknown": (["-v"], b"x\nwhat\ns\nn\nt\nu\nU\n!\n", TALK),
    "bad numbers": (["-v"], b"sx\nn-1\ntx\nux:y\nU1.2.3\n", TALK),
}
_DIRECTIVES = {"s", "n", "N", "p", "-", "+", "e", "E", "-t", "-tt", "-ttt", "-r", "-R", "-l", "-b", "-v"}


def _marked(name: str) -> object:
    return pytest.param(name, marks=pytest.mark.covers("svlogd", name)) if name in _DIRECTIVES else name


@pytest.fixture
def scratch() -> Iterator[Path]:
    path = worlds.scratch()
    yield path
    shutil.rmtree(path)


@pytest.fixture
def both(runtime: Path) -> tuple[str, str]:
    return oracle.program("svlogd", package="runit"), str(runtime / "svlogd")


@pytest.mark.covers("svlogd", "#")
@pytest.mark.parametrize("name", [_marked(name) for name in CASES])
def test_a_case_leaves_and_says_the_same(both: tuple[str, str], scratch: Path, name: str) -> None:
    options, config, text = CASES[name]
    outcomes = []
    for program in both:
        logs = [scratch / name for name in ("configured", "plain")]
        for log in logs:
            log.mkdir()
        logs[0].joinpath("config").write_bytes(config)
        outcomes.append(worlds.run(program, options, logs, [text[:100], text[100:333], text[333:]]))
        for log in logs:
            shutil.rmtree(log)
    assert outcomes[1] == outcomes[0]
    assert outcomes[1].status == 0
    assert outcomes[1].directories[1].text


@pytest.mark.covers("svlogd", "t")
def test_a_current_that_is_too_old_is_rotated_by_the_next_line(both: tuple[str, str], scratch: Path) -> None:
    log = scratch / "log"
    outcomes = []
    for program in both:
        log.mkdir()
        log.joinpath("config").write_bytes(b"t1\n")
        process = subprocess.Popen([program, "log"], cwd=scratch, stdin=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(b"first\n")
        process.stdin.flush()
        waiting.until(lambda: list(log.glob("@*.s")), what="rotated, though nothing came")
        process.stdin.write(b"second\n")
        process.stdin.close()
        assert process.wait(waiting.DEADLINE) == 0
        outcomes.append(([path.read_bytes() for path in log.glob("@*.s")], log.joinpath("current").read_bytes()))
        shutil.rmtree(log)
    assert outcomes == [([b"first\n"], b"second\n")] * 2
