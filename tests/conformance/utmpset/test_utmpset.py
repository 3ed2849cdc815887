"""utmpset leaves utmp and wtmp byte for byte as C's does, the seconds apart."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from support import oracle
from support.programs import Said, run

RECORD = struct.Struct("<hhi32s4s32s256shhiii16s20s")
"""x86_64, which is where the tests run with an oracle."""


def login(line: bytes, user: bytes) -> bytes:
    return RECORD.pack(7, 0, 4711, line, b"id", user, b"host.example", 0, 0, 9, 1_000_000_000, 123456, b"\x7f\0\0\1", b"u" * 20)


def without_time(content: bytes) -> bytes:
    """Leave the seconds out of a record that has a time of today."""
    records = [content[offset : offset + RECORD.size] for offset in range(0, len(content), RECORD.size)]
    return b"".join(record[:340] + b"now!" + record[344:] if is_new(record) else record for record in records)


def is_new(record: bytes) -> bool:
    return int.from_bytes(record[340:344], "little") > 1_500_000_000


def play(program: str | Path, folder: Path, words: list[str | bytes], files: dict[str, bytes]) -> tuple[Said, dict[str, bytes]]:
    """Run `program` with files of its own at /var/run/utmp and /var/log/wtmp."""
    oracle.root("the login files are given by a mount namespace")
    for place in ("run", "log"):
        (folder / place).mkdir(parents=True)
    for name, content in files.items():
        (folder / ("run" if name == "utmp" else "log") / name).write_bytes(content)
    script = 'mount --bind "$1/run" /run && mount --bind "$1/log" /var/log && shift && exec "$@"'
    said = run("unshare", ["--mount", "sh", "-c", script, "sh", str(folder), str(program), *words])
    said = said._replace(err=said.err.replace(f"usage: {program}".encode(), b"usage: utmpset"))
    left = {path.name: without_time(path.read_bytes()) for path in folder.glob("*/?tmp")}
    return said, left


FILES = {
    "utmp": login(b"pts/1", b"one") + login(b"tty1", b"two") + login(b"tty1", b"three") + login(b"gone", b""),
    "wtmp": login(b"a", b"b"),
}


@pytest.mark.covers("utmpset", "-w", "exit 0", "exit 1", "exit 111")
@pytest.mark.parametrize(
    ("words", "files"),
    [
        (["tty1"], FILES),
        (["-w", "tty1"], FILES),
        (["-w", "pts/1"], FILES),
        (["gone"], FILES),
        (["nope"], FILES),
        (["-w", "nope"], FILES),
        ([b"\xff"], FILES),
        ([], FILES),
        (["-w"], FILES),
        (["-z", "tty1"], FILES),
        (["tty1"], {"utmp": FILES["utmp"][:-1]}),
        (["gone"], {"utmp": login(b"gone", b"x")[:-1]}),
        (["tty1"], {"utmp": b""}),
        (["tty1"], {}),
        (["-w", "tty1"], {"utmp": FILES["utmp"]}),
    ],
    ids=lambda value: repr(sorted(value)) if isinstance(value, dict) else repr(value),
)
def test_it_says_and_leaves_the_same(runtime: Path, tmp_path: Path, words: list[str | bytes], files: dict[str, bytes]) -> None:
    programs: dict[str, str | Path] = {"C": oracle.program("utmpset", package="runit"), "ours": runtime / "utmpset"}
    heard = [play(program, tmp_path / name, words, files) for name, program in programs.items()]
    assert heard[1] == heard[0]


def test_a_line_may_be_as_long_as_its_field_and_no_longer(runtime: Path, tmp_path: Path) -> None:
    longest = "x" * 32
    files = {"utmp": login(longest.encode(), b"one"), "wtmp": b""}
    said, left = play(runtime / "utmpset", tmp_path / "fits", ["-w", longest], files)
    assert said == Said(0, b"", b"")
    assert [left[name][8:44] for name in ("utmp", "wtmp")] == [longest.encode() + b"id\0\0", longest.encode() + bytes(4)]
    said, _ = play(runtime / "utmpset", tmp_path / "not", [longest + "x"], files)
    assert said == Said(111, b"", b"utmpset: fatal: unable to logout line %sx in utmp: name too long\n" % longest.encode())
