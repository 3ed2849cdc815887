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
from runit_provision.model.tree import Ensure, OnChange
from runit_provision.schema.host_spec import HostSpec, UserSpec
from runit_provision.schema.service_spec import ServiceSpec


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


def test_null_takes_a_default_away_as_if_it_was_never_said() -> None:
    defaults = {"env": {"A": "1"}, "limits": {"files": 9}, "user": "nobody", "log": {"keep": 3}, "check": {"tcp": 1}, "umask": "077"}
    bare = service_of({})
    assert service_of(dict.fromkeys(defaults), defaults=defaults) == bare
    assert service_of(dict.fromkeys(ServiceSpec.model_fields, None) | {"command": ["prog"]}) == bare
    assert service_of({"env": {"A": None}}, defaults=defaults).process.environment == (Variable("A", None),)


def test_a_key_that_is_null_is_as_if_it_were_not_there_wherever_it_stands() -> None:
    said = {
        "log": {"keep": 3},
        "finish": {"mail": {"on_failure": "a@b"}},
        "stop": {"seconds": 9},
        "check": {"tcp": 1},
        "restart": {"at_most": 1},
    }
    nothing = {
        "log": {"keep": None},
        "finish": {"mail": None},
        "stop": None,
        "check": {"tcp": None, "file": "x"},
        "restart": {"at_most": None},
    }
    assert service_of(nothing, defaults=said) == service_of({"finish": {}, "check": {"file": "x"}, "restart": {}})
    empty = dict.fromkeys(HostSpec.model_fields)
    assert host_of({**empty, "users": {"apprun1": dict.fromkeys(UserSpec.model_fields)}}) == host_of({"users": ["apprun1"]})
    assert host_of(empty) == host_of({})


def test_what_is_no_size_is_told_in_the_words_of_yaml() -> None:
    assert problems({"services": {"x": {"command": ["x"], "limits": {"core": True, "memory": [1]}, "umask": {}}}}) == [
        "runit.services.x.umask: has to be a quoted octal mask like '027', not a hash",
        "runit.services.x.limits.memory: has to be a number of bytes, like 1048576 or 1m, not a list",
        "runit.services.x.limits.core: has to be a number of bytes, like 1048576 or 1m, not true",
    ]


def test_a_script_of_its_own_has_of_the_defaults_what_is_not_in_it_and_the_rest_is_told() -> None:
    defaults = {"command": ["other"], "env": {"A": "1"}, "limits": {"files": 9}, "session": False, "on_change": "hup"}
    scripts = {"told": {"run": "#!/bin/sh\n"}, "meant": {"run": "#!/bin/sh\n", "env": None, "limits": None}}
    host = host_of({"defaults": defaults, "services": scripts, "users": {"apprun1": {"services": {"inner": scripts["told"]}}}})
    assert {service.on_change for service in host.tree.services if service.id in scripts} == {OnChange.HUP}
    hint = "let the script see to it, and say `env: null`"
    assert [str(warning) for warning in host.warnings] == [
        f"{key}: of its defaults it has no `env`, `limits`: its `run` is the whole script; {hint}"
        for key in ("runit.users.apprun1.services.inner", "runit.services.told")
    ]


def test_what_a_service_says_of_its_own_beside_its_script_is_refused() -> None:
    assert problems({"services": {"x": {"run": "#!/bin/sh\n", "limits": {"files": 9}, "instances": ["a"]}}}) == [
        f"runit.services.x.{key}: has no effect beside `run`, which is the whole script; use `command`, or say it in the script"
        for key in ("instances", "limits")
    ]


def test_defaults_are_no_services_themselves() -> None:
    defaults = {"services": {"a": {"command": ["a"]}}, "instances": ["b"]}
    assert problems({"defaults": defaults, "services": {"x": {"command": ["x"], "instances": ["c"]}}}) == [
        f"runit.defaults.{key}: is nothing that every service could have; say it in the service" for key in ("services", "instances")
    ]


def test_instances_may_differ_and_lie_above_their_service_which_lies_above_the_defaults() -> None:
    getty = {
        "command": ["getty"],
        "env": {"A": "service", "B": "service"},
        "nice": 1,
        "instances": {1: None, "b": {"command": ["agetty"], "env": {"B": "own"}, "nice": None, "log": False}},
    }
    host = host_of({"defaults": {"env": {"A": "host", "C": "host"}, "nice": 2}, "services": {"getty": getty}})
    seen = {service.name: (service.run, service.process.nice, service.log is None) for service in host.tree.services}
    assert seen == {"getty_1": (Argv(("getty",)), 1, False), "getty_b": (Argv(("agetty",)), 0, True)}
    variables = {variable.name: variable.value for variable in host.tree.services[1].process.environment}
    assert variables == {"A": "service", "B": "own", "C": "host", "INSTANCE": "b"}


def test_what_is_wrong_with_an_instance_is_told_at_the_instance() -> None:
    instances = {"a": {"memroy": 1}, "b": {"instances": ["x"], "command": ["b"]}, "c/d": None, "e": 5, "f": {"command": ["f"]}}
    assert problems({"services": {"x": {"instances": instances}}}) == [
        "runit.services.x.instances.a.memroy: unknown key; `runit-provision schema` lists the known ones",
        "runit.services.x.instances.c/d: the name 'c/d' holds a slash: it is one directory's name, not a path",
        "runit.services.x.instances.e: has to be a hash, not a number; its keys are command, run, before and more",
        "runit.services.x.instances.b.instances: an instance has none of its own; let it be a service",
    ]


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
