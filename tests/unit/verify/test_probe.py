"""What is asked of a shell, and what its answer means."""

from __future__ import annotations

import pytest

from runit_provision.runtime.wire import status as wire
from runit_provision.runtime.wire import tai
from runit_provision.runtime.wire.status import Status
from runit_provision.verify import probe
from runit_provision.verify.life import End, Life, Process, Supervised, describe

NOW = 1_790_000_003
UP = Status(since_ns=1_790_000_000_250_000_000, pid=4711, state=wire.RUN, want=wire.WANT_UP)
STAYS_DOWN = Status(since_ns=1_790_000_000_250_000_000, pid=0, state=wire.DOWN, want=wire.WANT_DOWN)
DOWN = Status(since_ns=1_790_000_000_250_000_000, pid=0, state=wire.DOWN, want=wire.WANT_UP)
FIVE = tuple(End(NOW - ago, "exited 1") for ago in (50, 40, 30, 20, 3))


def answer(*lines: str) -> str:
    return "\n".join((f"now {NOW}", "service", *lines)) + "\n"


def test_a_service_that_runs_and_logs() -> None:
    text = answer(
        "exists",
        "enabled",
        f"main yes {wire.pack(UP).hex(' ')}",
        f"log yes {wire.pack(UP).hex(' ')}",
        "lines " + "grüß dich\n\0\n".encode().hex(" "),
    )
    assert probe.parse(text) == [
        Life(
            now=NOW,
            exists=True,
            enabled=True,
            main=Process(Supervised.YES, UP),
            log=Process(Supervised.YES, UP),
            lines=("grüß dich", "\0"),
        )
    ]


def test_a_directory_that_is_not_there() -> None:
    assert probe.parse(answer("enabled", "main no")) == [Life(now=NOW, exists=False, enabled=True, main=Process(Supervised.NO))]


def test_how_it_ended_of_late_as_its_supervisor_keeps_it_and_nothing_else_that_its_owner_wrote_there() -> None:
    label = tai.text(1_790_000_002_500_000_000)
    tally = f"{label} ran 12.043 exited 1\n{label} ran 0.001 signal 9\n{label} ran 1.000 unknown\n{label} ran x exited 1\nforged\n"
    (life,) = probe.parse(answer("exists", "gave_up", "main no", f"ends {tally.encode().hex(' ')}"))
    assert life.gave_up
    assert life.ends == tuple(End(1_790_000_002.5, how) for how in ("exited 1", "signal 9", "unknown"))


def test_a_status_that_is_being_written_first_is_none_yet() -> None:
    assert probe.parse(answer("exists", "main yes 40 00 00"))[0].main == Process(Supervised.YES, None)


def test_several_services_come_in_their_order() -> None:
    lives = probe.parse(f"now {NOW}\nservice\nmain no\nservice\nexists\nmain denied\n")
    assert [life.main.supervised for life in lives] == [Supervised.NO, Supervised.DENIED]


@pytest.mark.parametrize("text", ["", "Last login: today\n", "service\nmain no\n"])
def test_what_no_probe_prints_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="did not answer as a POSIX shell does"):
        probe.parse(text)


def test_a_greeting_of_the_hosts_does_no_harm() -> None:
    assert len(probe.parse("Welcome!\n" + answer("main no"))) == 1


def test_names_reach_the_shell_as_they_are() -> None:
    (command,) = probe.commands([("/srv/it's $HOME", "")], lines=1)
    assert command.endswith(""" probe 1 '/srv/it'"'"'s $HOME' ''""")


def test_many_services_are_asked_in_several_commands() -> None:
    services = [(f"/srv/services/{number:04}", "/var/log/x") for number in range(5000)]
    commands = list(probe.commands(services, lines=0))
    assert len(commands) > 1
    assert max(map(len, commands)) <= probe.MAX_COMMAND
    asked = [word for command in commands for word in command.split() if word.startswith("/srv/services/")]
    assert asked == [directory for directory, _ in services]


def test_checks_end_in_any_order() -> None:
    (command,) = probe.checks([("/srv/it's", "", ""), ("/srv/b", "www:adm", "/bin")])
    assert command.endswith(""" checks '/srv/it'"'"'s' '' '' /srv/b www:adm /bin""")
    assert probe.parse_checks("Welcome!\n1 0\n0 137\nasked\n") == [137, 0]
    assert [*probe.checks([])] == []


@pytest.mark.parametrize("text", ["", "0 0\n", "1 0\nasked\n"])
def test_what_is_no_answer_about_checks(text: str) -> None:
    with pytest.raises(ValueError, match="did not answer as a POSIX shell does"):
        probe.parse_checks(text)


def test_only_so_many_checks_run_at_the_same_time() -> None:
    commands = [*probe.checks((f"/srv/{number}", "", "") for number in range(120))]
    assert [command.count(" /srv/") for command in commands] == [50, 50, 20]


@pytest.mark.parametrize(
    ("life", "said"),
    [
        (Life(NOW, True, True, Process(Supervised.YES, UP)), "want up, up (pid 4711) for 3 s"),
        (Life(NOW, True, True, Process(Supervised.YES, UP), check=1), "want up, up (pid 4711) for 3 s, its check exited 1"),
        (
            Life(NOW, True, True, Process(Supervised.YES, UP), check=137),
            "want up, up (pid 4711) for 3 s, its check did not end in 10 s",
        ),
        (
            Life(NOW, True, True, Process(Supervised.YES, DOWN), lines=("starting", "out of memory")),
            "want up, down for 3 s; last log line: out of memory",
        ),
        (
            Life(NOW, True, True, Process(Supervised.YES, DOWN), lines=("of a former life",), logged=NOW - 600),
            "want up, down for 3 s; last log line, 600 s ago: of a former life",
        ),
        (Life(NOW, True, False, Process(Supervised.NO)), "not supervised, not enabled at boot"),
        (Life(NOW, False, True, Process(Supervised.NO)), "there is no run"),
        (
            Life(NOW, True, True, Process(Supervised.YES, UP), log=Process(Supervised.YES, DOWN)),
            "want up, up (pid 4711) for 3 s, its logger is down",
        ),
        (
            Life(NOW, True, True, Process(Supervised.YES, DOWN), lines=("out of memory",), ends=(End(NOW - 61, "exited 2"), *FIVE)),
            "want up, down for 3 s, exited 1 five times in 60 s; last log line: out of memory",
        ),
        (
            Life(NOW, True, True, Process(Supervised.YES, UP), ends=(*FIVE[:2], End(NOW - 1, "signal 9"))),
            "want up, up (pid 4711) for 3 s, exited 1 twice and signal 9 once in 60 s",
        ),
        (
            Life(NOW + 900, True, True, Process(Supervised.YES, STAYS_DOWN), gave_up=True, ends=FIVE[:3]),
            "want down, gave up, down for 903 s, exited 1 three times in 60 s",
        ),
        (
            Life(NOW, True, True, Process(Supervised.YES, DOWN), ends=(End(NOW, "exited 3"),) * 7),
            "want up, down for 3 s, exited 3, 7 times in 60 s",
        ),
        (
            Life(NOW, True, True, Process(Supervised.YES, DOWN), ends=(End(NOW, "exited 7"),) * 32),
            "want up, down for 3 s, exited 7 at least 32 times in 60 s",
        ),
    ],
)
def test_a_life_in_one_line(life: Life, said: str) -> None:
    assert describe(life) == said
