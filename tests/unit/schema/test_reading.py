"""What data mean, and what is refused that no data file could hold."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import host_of

from runit_provision.errors import DataError
from runit_provision.model.data import Numeral, Sensitive
from runit_provision.model.ending import Finish
from runit_provision.model.logging import Logger
from runit_provision.model.process import Variable
from runit_provision.model.run import Argv, CommandLine
from runit_provision.model.service import Service
from runit_provision.model.tree import Ensure


def service_of(spec: dict[str, Any], **host: Any) -> Service:
    return host_of({"services": {"prog": {"command": ["prog"], **spec}}, **host}).tree.services[0]


def problems(data: dict[str, Any]) -> list[str]:
    with pytest.raises(DataError) as caught:
        host_of(data)
    return [str(problem) for problem in caught.value.problems]


def test_a_list_is_a_program_and_a_string_a_line_of_shell() -> None:
    assert service_of({"command": ["prog", 80]}).run == Argv(("prog", "80"))
    assert service_of({"command": "prog $HOME"}).run == CommandLine("prog $HOME")


def test_defaults_lie_beneath_services_a_users_above_the_hosts() -> None:
    host = host_of(
        {
            "defaults": {"env": {"A": "host", "B": "host", "C": "host"}, "nice": 1},
            "users": {
                "apprun1": {
                    "defaults": {"env": {"B": "user", "C": "user"}},
                    "services": {"prog": {"command": ["prog"], "env": {"C": "own"}}},
                }
            },
        }
    )
    service = host.users[0].tree.services[0]
    assert service.process.environment == (Variable("A", "host"), Variable("B", "user"), Variable("C", "own"))
    assert service.process.nice == 1


def test_a_one_shot_takes_from_defaults_nothing_that_is_about_starting_again() -> None:
    once = service_of({"one_shot": True}, defaults={"restart": {"at_most": 3}, "max_delay": 60, "nice": 1})
    assert (once.ending, once.settings, once.process.nice) == (Finish(once=True), (), 1)


def test_a_place_comes_from_the_key_that_says_where_it_is() -> None:
    apart = {"apprun1": {"definitions": "/srv/apprun1/sv"}, "apprun2": {"basedir": "/opt/apprun2"}}
    host = host_of({"log_directory": "/srv/log", "basedir": "/srv", "logdir": "/srv/logs", "users": apart})
    origins = [
        {place: tree.origin_of(place).key for place in ("service_directory", "definitions", name)}
        for tree, name in ((host.tree, "log_directory"), *((user.tree, "logdir") for user in host.users))
    ]
    assert origins == [
        {"service_directory": "runit.service_directory", "definitions": "runit.definitions", "log_directory": "runit.log_directory"},
        {"service_directory": "runit.basedir", "definitions": "runit.users.apprun1.definitions", "logdir": "runit.logdir"},
        {"service_directory": "runit.users.apprun2.basedir", "definitions": "runit.users.apprun2.basedir", "logdir": "runit.logdir"},
    ]


def test_of_a_service_that_is_to_be_absent_nothing_else_is_asked() -> None:
    (gone,) = host_of({"services": {"gone": {"ensure": "absent"}}}).tree.services
    assert (gone.id, gone.ensure) == ("gone", Ensure.ABSENT)


def test_a_service_that_is_only_down_is_left_to_people() -> None:
    assert (service_of({"down": True}).ensure, service_of({"down": True}).enabled) == (Ensure.ANY, False)
    assert (service_of({"ensure": "stopped"}).ensure, service_of({"ensure": "stopped"}).enabled) == (Ensure.STOPPED, False)
    assert (service_of({}).ensure, service_of({}).enabled) == (Ensure.RUNNING, True)


def test_sizes_and_spans_may_have_units() -> None:
    log = service_of({"log": {"size": "10m", "age": "2h"}}).log
    assert isinstance(log, Logger)
    assert (log.policy.size, log.policy.age) == (10 << 20, 7200)


def test_a_users_name_may_differ_from_its_account() -> None:
    user = host_of({"users": {"worker": {"account": "apprun1"}}}).users[0]
    assert (user.name, user.tree.account.name, user.tree.definitions) == ("worker", "apprun1", "/home/apprun1/runit")


def test_half_a_surrogate_pair_is_refused() -> None:
    assert problems({"services": {"prog": {"command": ["prog", "\ud800"]}}}) == [
        "runit.services.prog.command.1: is not valid Unicode: it holds half of a surrogate pair"
    ]


def test_a_secret_never_becomes_an_argument_and_is_never_shown() -> None:
    found = problems({"services": {"prog": {"command": ["prog", Sensitive("hunter2")], "nice": Sensitive("hunter2")}}})
    assert found == [
        "runit.services.prog.command.1: a secret may not stand here: it would be readable by others; put it into `env` or a file",
        "runit.services.prog.nice: has to be a whole number, not Sensitive [value redacted]",
    ]


def test_a_secret_number_that_is_another_is_refused_and_never_shown() -> None:
    (said,) = problems({"services": {"prog": {"command": ["prog"], "env": {"PIN": Sensitive(Numeral.of(420, "0644"))}}}})
    assert said == "runit.services.prog.env.PIN: is another number to YAML than it seems; quote it"


def test_one_octal_digit_needs_no_quotes() -> None:
    assert service_of({"umask": 7}).process.umask == 7
    assert service_of({"umask": "0022"}).process.umask == 0o22


def test_data_that_are_no_hash_are_refused() -> None:
    with pytest.raises(DataError, match="has to be a hash"):
        host_of([])  # type: ignore[arg-type]


def test_an_unknown_owner_is_the_only_problem_that_follows_from_it() -> None:
    assert problems({"owner": "rott", "users": ["apprun1"]}) == [
        "runit.owner: there is no user 'rott' on this host; did you mean `root`?"
    ]
