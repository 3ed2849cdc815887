"""The grammar of svlogd's config: what svlogd takes from a file, and what is wrong with it."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runit_provision.runtime.wire import svlogd_config
from runit_provision.runtime.wire.svlogd_config import ALERT, DESELECT, NO_ALERT, SELECT, Config, ConfigProblem, Instruction, Udp


def test_thousands_that_are_compared_leave_no_memory_behind() -> None:
    one, other = Config(size=1), Config(size=1)
    before = sys.getallocatedblocks()
    assert all(one == other for _ in range(3000))
    assert sys.getallocatedblocks() - before < 300


def test_every_directive() -> None:
    text = b"# a comment\n\ns2m\nn30\nN2\nt24h\n!gzip -9\nu10.0.0.1:1514\npweb: \n-*\n+*error*\ne*panic*\nE*fine*\n"
    config, problems = svlogd_config.parse(text)
    assert config == Config(
        size=2 * 1024 * 1024,
        keep=30,
        keep_min=2,
        age=86400,
        processor=b"gzip -9",
        udp=Udp("10.0.0.1", 1514),
        prefix=b"web: ",
        instructions=[
            Instruction(DESELECT, b"*"),
            Instruction(SELECT, b"*error*"),
            Instruction(ALERT, b"*panic*"),
            Instruction(NO_ALERT, b"*fine*"),
        ],
    )
    assert problems == ()


def test_another_processor_changes_nothing_else_and_nobody_elses_config() -> None:
    config, _ = svlogd_config.parse(b"s2000\n!gzip\n+*error*\n")
    other = config.processed_by(b"xz")
    assert other == Config(size=2000, processor=b"xz", instructions=[Instruction(SELECT, b"*error*")])
    assert config.processor == b"gzip"


def test_an_empty_file_means_svlogds_defaults() -> None:
    assert svlogd_config.parse(b"") == (Config(size=1000000, keep=10, keep_min=10), ())


@pytest.mark.parametrize(
    ("text", "config"),
    [
        (b"s", Config()),  # a last line of one byte is not read
        (b"s\n", Config(size=0)),
        (b"s4k", Config(size=4096)),
        (b"s1M\n", Config(size=1)),
        (b"t5m\n", Config(age=300)),
        (b"t1d\n", Config(age=1)),
        (b"n0\n", Config(keep=0)),
        (b"!\np\n", Config()),
        (b"s5\ns6\n", Config(size=6)),
        (b" s5\n", Config()),
        (b"u1.2.3.4\n", Config(udp=Udp("1.2.3.4", 514))),
        (b"U1.2.3.4:9\n", Config(udp=Udp("1.2.3.4", 9), udp_only=True)),
        (b"U1.2.3\n", Config(udp_only=True)),
        (b"u1.2.3.4:65536\n", Config()),
        (b"u1.2.3.257:7\n", Config(udp=Udp("1.2.3.1", 7))),
        (b"s18446744073709551617\n", Config(size=1)),
        (b"-\n", Config(instructions=[Instruction(DESELECT, b"")])),
        (b"-a\0+b\0xc\ns5\0\n", Config(size=5, instructions=[Instruction(DESELECT, b"a"), Instruction(SELECT, b"b")])),
    ],
)
def test_svlogd_takes_what_it_can(text: bytes, config: Config) -> None:
    assert svlogd_config.parse(text)[0] == config


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        (b"s10\nx5\n", 2, "knows no directive 'x'"),
        (b"s10M\n", 1, "ignores 'M'"),
        (b"\nnten\n", 2, "'ten' is no number"),
        (b"n5\nN5\n", 2, "N (5) is not less than n (5)"),
        (b"N20\n", 1, "N (20) is not less than n (10)"),
        (b"s1\n#\ns2\n", 3, "set already in line 1"),
        (b"u1.2.3\n", 1, "no IPv4 address"),
        (b"u1.2.3.4:0\n", 1, "no port"),
        (b"u1.2.3.4 x\n", 1, "ignores ' x'"),
        (b"+a+\n", 1, "nothing follows the plus"),
        (b"n5\ns", 2, "without a newline"),
        (b"n0\nN5\n", 2, "no effect"),
        (b"-a\0b\n", 1, "NUL"),
        (b"!\n", 1, "without a command"),
        (b"p\n", 1, "empty prefix"),
        (b"u1.2.3.400\n", 1, "greater than 255"),
        (b"s99999999999999999999\n", 1, "greater than svlogd can count"),
    ],
)
def test_a_problem_names_its_line(text: bytes, line: int, part: str) -> None:
    (problem,) = svlogd_config.parse(text)[1]
    assert problem.line == line
    assert part in problem.message


def test_what_svlogd_itself_warns_of_is_told_in_its_words() -> None:
    (address, port) = svlogd_config.parse(b"unowhere\nU1.2.3.4:x\n")[1][:2]
    assert isinstance(address, ConfigProblem)
    assert address.warning == b"unable to scan ip address: nowhere"
    assert port.warning == b"unable to scan port number: x"


def test_only_what_differs_from_the_defaults_is_written() -> None:
    assert svlogd_config.format(Config()) == b""
    config = Config(
        size=1 << 20, keep=5, keep_min=2, age=7200, udp=Udp("1.2.3.4"), prefix=b"x", instructions=[Instruction(DESELECT, b"*")]
    )
    assert svlogd_config.format(config) == b"s1m\nn5\nN2\nt2h\nu1.2.3.4\npx\n-*\n"


@pytest.mark.parametrize(
    "config", [Config(prefix=b"a\nb"), Config(processor=b"a\0b"), Config(size=-1), Config(keep=1 << 64), Config(udp_only=True)]
)
def test_what_no_file_can_say_is_refused(config: Config) -> None:
    with pytest.raises(ValueError, match=r"svlogd|udp"):
        svlogd_config.format(config)


text = st.binary(max_size=8).filter(lambda value: b"\n" not in value and b"\0" not in value)
numbers = st.integers(0, (1 << 64) - 1) | st.integers(0, 100).map(lambda number: number << 10)
udps = st.none() | st.builds(
    Udp, st.tuples(*[st.integers(0, 255)] * 4).map(lambda octets: ".".join(map(str, octets))), st.integers(1, 65535)
)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    udp = draw(udps)
    return Config(
        size=draw(numbers),
        keep=draw(numbers),
        keep_min=draw(numbers),
        age=draw(numbers),
        processor=draw(text),
        prefix=draw(text),
        udp=udp,
        udp_only=udp is not None and draw(st.booleans()),
        instructions=draw(st.lists(st.builds(Instruction, st.sampled_from([SELECT, DESELECT, ALERT, NO_ALERT]), text), max_size=4)),
    )


@given(config=configs())
def test_what_is_written_is_read_back(config: Config) -> None:
    assert svlogd_config.parse(svlogd_config.format(config))[0] == config


@given(data=st.binary(max_size=60) | st.lists(st.sampled_from([b"s", b"1", b"\n", b"u", b".", b":", b"\0", b"+", b"p"])).map(b"".join))
def test_no_file_is_refused(data: bytes) -> None:
    config, problems = svlogd_config.parse(data)
    assert isinstance(config, Config)
    assert all(1 <= problem.line <= data.count(b"\n") + 1 for problem in problems)
