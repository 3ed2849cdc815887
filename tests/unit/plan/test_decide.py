"""What is to be done, from what is wanted, what is there, and what was made before."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from support.trees import ORIGIN, SYSTEM, Unit, grow, join

from runit_provision.errors import HostError, Mark, Problem
from runit_provision.model.observed import Call, Intent, Journal, Kind, Life, Manifest, Observed, Owed, Record, Seen
from runit_provision.model.plan import Change, Found, Plan, ServiceStep, Verb
from runit_provision.model.tree import Directory, Effect, Ensure, File, Link, Node, OnChange, Origin, Realm, RenderedTree
from runit_provision.plan import decide

UP = Life(supervised=True, running=True, want_up=True, pid=7, since=1)
DOWN = Life(supervised=True)
FOREIGN = Seen(Kind.FILE, 0o755, 0, 0, 3, hashlib.sha256(b"old").hexdigest())


def seen(node: Node) -> Seen:
    match node.entry:
        case Directory(mode):
            return Seen(Kind.DIRECTORY, mode, 0, 0)
        case Link(target):
            return Seen(Kind.LINK, target=target)
        case File(content, mode):
            return Seen(Kind.FILE, mode, 0, 0, len(content), hashlib.sha256(content).hexdigest())


def host(tree: RenderedTree, *, wanted: RenderedTree | None = None, life: Life = UP, log: Life = UP) -> Observed:
    """A host on which `tree` was applied and runs."""
    paths = {node.path: seen(node) for node in tree.nodes}
    records = {node.path: Record(seen(node), node.realm, node.service, node.effect, node.live) for node in tree.nodes}
    lives = {service.id: (life, log if service.logged else Life()) for service in tree.services}
    manifest = Manifest(records, {service.id: service for service in tree.services})
    owners = {(node.realm, node.owner): (0, 0) for node in (*tree.nodes, *(wanted.nodes if wanted else ()))}
    return Observed(paths=paths, owners=owners, lives=lives, manifest=manifest)


def bare(tree: RenderedTree) -> Observed:
    """A host on which nothing was ever done."""
    return Observed(paths={}, owners={(node.realm, node.owner): (0, 0) for node in tree.nodes}, lives={}, manifest=Manifest())


def steps(plan: Plan) -> list[tuple[str, str, str]]:
    return [(step.change.value, step.path, step.reason) for step in plan.steps]


def calls(plan: Plan) -> list[tuple[str, Verb, str]]:
    return [(call.service.id, call.verb, call.reason) for call in plan.calls]


def test_on_a_bare_host_all_is_made_the_live_link_last_and_the_service_started() -> None:
    plan = decide(grow("/b", [Unit("a")]), bare(grow("/b", [Unit("a")])))
    assert steps(plan) == [
        ("+", "/b/sv", "new"),
        ("+", "/b/service", "new"),
        ("+", "/b/sv/a", "new"),
        ("+", "/b/sv/a/run", "new"),
        ("+", "/b/service/a", "new"),
    ]
    assert [step.path for step in plan.links] == ["/b/service/a"]
    assert calls(plan) == [("a", Verb.START, "new")]


def test_where_all_is_as_it_should_be_nothing_is_to_be_done() -> None:
    tree = grow("/b", [Unit("a"), Unit("b")])
    plan = decide(tree, host(tree))
    assert (plan.empty, plan.unchanged, plan.manifest == plan.remembered) == (True, 8, True)


@pytest.mark.parametrize(
    ("changed", "verb", "reason"),
    [
        ({"run": b"new"}, Verb.RESTART, "run changed"),
        ({"run": b"new", "on_change": OnChange.HUP}, Verb.HUP, "run changed"),
        ({"run": b"new", "on_change": OnChange.TERM}, Verb.TERM, "run changed"),
        ({"run": b"new", "on_change": OnChange.WAIT}, Verb.LEAVE, "run changed; takes effect when it starts next (on_change is wait)"),
        ({"files": {"env/A": (b"1\n", Effect.RESTART)}}, Verb.RESTART, "env/A changed"),
        ({"files": {"log/config": (b"", Effect.LOG_HUP)}}, Verb.LOG_HUP, "log/config changed"),
        ({"log": b"new"}, Verb.LOG_RESTART, "log/run changed"),
    ],
)
def test_what_changed_says_what_the_service_gets(changed: dict[str, object], verb: Verb, reason: str) -> None:
    before = Unit("a", log=b"log")
    wanted = grow("/b", [replace(before, **changed)])  # type: ignore[arg-type]
    assert calls(decide(wanted, host(grow("/b", [before]), wanted=wanted))) == [("a", verb, reason)]


@pytest.mark.parametrize(
    ("changed", "verb", "reason"),
    [
        ({"run": b"new"}, Verb.RESTART, "run changed"),
        ({"run": b"new", "on_change": OnChange.HUP}, Verb.START, "is not to stay up"),
        ({}, Verb.START, "is not to stay up"),
    ],
)
def test_what_takes_its_time_to_go_down_is_not_taken_for_what_is_new(changed: dict[str, object], verb: Verb, reason: str) -> None:
    wanted = grow("/b", [replace(Unit("a"), **changed)])  # type: ignore[arg-type]
    ending = UP._replace(want_up=False)
    assert calls(decide(wanted, host(grow("/b", [Unit("a")]), wanted=wanted, life=ending))) == [("a", verb, reason)]


@pytest.mark.parametrize(
    ("changed", "verb", "reason"),
    [
        ({"run": b"new"}, Verb.START, "run changed; it had given up"),
        ({}, Verb.LEAVE, "it gave up: it ended more often than `restart` forgives; `sv up` starts it"),
    ],
)
@pytest.mark.parametrize("finish", [0, 7], ids=["down", "at its finish"])
def test_what_gave_up_is_started_when_what_it_runs_has_changed(
    changed: dict[str, object], verb: Verb, reason: str, finish: int
) -> None:
    wanted = grow("/b", [replace(Unit("a"), **changed)])  # type: ignore[arg-type]
    hopeless = DOWN._replace(pid=finish, want_up=False, gave_up=True)
    assert calls(decide(wanted, host(grow("/b", [Unit("a")]), wanted=wanted, life=hopeless))) == [("a", verb, reason)]


@pytest.mark.parametrize(
    ("changed", "asked"),
    [
        ({}, [(Verb.RENEW, "its log {}")]),
        ({"run": b"new"}, [(Verb.RENEW, "run changed; its log {}")]),
        ({"on_change": OnChange.HUP}, [(Verb.LEAVE, "its log {}, which its supervisor sees when it starts next (`sv exit` ends it)")]),
        (
            {"run": b"new", "enabled": False},
            [
                (Verb.RESTART, "run changed"),
                (Verb.LEAVE, "its log {}, which its supervisor sees when it starts next (`sv exit` ends it)"),
            ],
        ),
    ],
)
@pytest.mark.parametrize(("before", "after", "what"), [(None, b"log", "is new"), (b"log", None, "goes")])
def test_a_supervisor_that_cannot_know_of_a_log_starts_anew(
    changed: dict[str, object], asked: list[tuple[Verb, str]], before: bytes | None, after: bytes | None, what: str
) -> None:
    there = grow("/b", [Unit("a", log=before)])
    wanted = grow("/b", [replace(Unit("a", log=after), **changed)])  # type: ignore[arg-type]
    plan = decide(wanted, host(there, wanted=wanted))
    assert calls(plan) == [("a", verb, reason.format(what)) for verb, reason in asked]


@pytest.mark.parametrize("name", ["finish", "check", "down"])
def test_a_changed_finish_check_or_down_restarts_nothing(name: str) -> None:
    wanted = grow("/b", [Unit("a", files={name: (b"new", Effect.NOTHING)})])
    plan = decide(wanted, host(grow("/b", [Unit("a")])))
    assert (steps(plan), calls(plan)) == ([("+", f"/b/sv/a/{name}", "new")], [])


def test_a_lost_variable_restarts_what_ran_with_it() -> None:
    wanted = grow("/b", [Unit("a", files={"env/A": (b"1\n", Effect.RESTART)})])
    there = grow("/b", [Unit("a", files={"env/A": (b"1\n", Effect.RESTART), "env/B": (b"2\n", Effect.RESTART)})])
    plan = decide(wanted, host(there))
    assert steps(plan) == [("-", "/b/sv/a/env/B", "no longer in the data")]
    assert calls(plan) == [("a", Verb.RESTART, "env/B changed")]


def test_what_does_not_run_is_not_restarted() -> None:
    wanted = grow("/b", [Unit("a", run=b"new", ensure=Ensure.ANY)])
    assert calls(decide(wanted, host(grow("/b", [Unit("a")]), life=DOWN))) == []


@pytest.mark.parametrize("life", [UP, DOWN], ids=["while it runs", "when it has run"])
@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({}, [("a", Verb.START, "run changed; runs once more")]),
        ({"ensure": Ensure.ANY, "on_change": OnChange.NOTHING}, []),
    ],
)
def test_a_one_shot_that_changed_runs_once_more_and_is_never_cut_short(
    life: Life, asked: dict[str, object], wanted: list[tuple[str, Verb, str]]
) -> None:
    there = Unit("a", one_shot=True)
    plan = decide(grow("/b", [replace(there, run=b"new", **asked)]), host(grow("/b", [there]), life=life))  # type: ignore[arg-type]
    assert [call for call in calls(plan) if call[1] is not Verb.LEAVE] == wanted


def test_a_one_shot_that_a_killed_apply_was_to_start_runs_once_more() -> None:
    tree = grow("/b", [Unit("a", one_shot=True)])
    journal = Journal("j", "apply", (), (Call("start", tree.services[0], DOWN, Life()),), lives={"a": (DOWN, Life())}, done=frozenset())
    assert calls(decide(tree, replace(host(tree, life=DOWN), journal=journal))) == [
        ("a", Verb.START, "an earlier apply did not get to it")
    ]


@pytest.mark.parametrize(
    ("ensure", "life", "wanted"),
    [
        (Ensure.RUNNING, DOWN, [("a", Verb.START, "is down")]),
        (Ensure.RUNNING, Life(), []),
        (Ensure.ANY, DOWN, []),
        (Ensure.STOPPED, UP, [("a", Verb.STOP, "is to be stopped")]),
        (Ensure.STOPPED, DOWN, []),
    ],
)
def test_a_service_is_brought_to_the_state_that_is_asked_for(ensure: Ensure, life: Life, wanted: list[tuple[str, Verb, str]]) -> None:
    tree = grow("/b", [Unit("a", ensure=ensure)])
    assert calls(decide(tree, host(tree, life=life))) == wanted


def test_a_service_that_left_the_data_is_stopped_unlinked_and_removed_children_first() -> None:
    there = grow("/b", [Unit("a"), Unit("b")])
    plan = decide(grow("/b", [Unit("a")]), host(there))
    # where it stood in the data of before, those of now have something else
    assert plan.stops == (
        ServiceStep(Verb.STOP, replace(there.service("b"), origin=Origin("runit.services")), "no longer in the data"),
    )
    assert [step.path for step in plan.unlinks] == ["/b/service/b"]
    assert [step.path for step in plan.removals] == ["/b/sv/b/run", "/b/sv/b"]


def test_a_service_that_is_to_be_absent_goes_from_where_it_was_made_as_the_data_say_now() -> None:
    there = grow("/b", [Unit("a"), Unit("b")])
    kept = grow("/b", [Unit("a")])
    here = Origin("runit.services.b", Mark("data.yaml", 7, 3))
    absent = replace(there.service("b"), ensure=Ensure.ABSENT, link=None, origin=here, stop_seconds=3, kill=True)
    plan = decide(replace(kept, services=(*kept.services, absent)), host(there))
    assert plan.stops == (ServiceStep(Verb.STOP, replace(absent, link="/b/service/b"), "is to be absent"),)
    gone = [(step.path, step.reason, step.origin) for step in (*plan.unlinks, *plan.removals)]
    assert gone == [(path, "is to be absent", here) for path in ("/b/service/b", "/b/sv/b/run", "/b/sv/b")]
    assert (plan.calls, list(plan.manifest.services)) == ((), ["a"])


@pytest.mark.parametrize(("part", "place"), [("sv", "/b/other/a"), ("service", "/b/other/a")])
def test_a_service_that_moves_ends_where_it_is_before_it_starts_where_it_is_to_be(part: str, place: str) -> None:
    was = grow("/b", [Unit("a")])
    there = [replace(node, path=node.path.replace(f"/b/{part}", "/b/other", 1)) for node in was.nodes]
    links = [replace(node, entry=Link("/b/other/a")) if part == "sv" and node.live else node for node in there]
    (first,) = was.services
    service = replace(first, directory=place) if part == "sv" else replace(first, link=place)
    tree = replace(was, nodes=tuple(links), services=(service,))
    lives = {"a": (Life(), Life()), "/b/sv/a": (UP, Life())} if part == "sv" else {"a": (UP, Life())}
    plan = decide(tree, replace(host(was, wanted=tree), lives=lives))
    assert [(stop.service.directory, stop.reason) for stop in plan.stops] == [("/b/sv/a", f"moves to {place}")]
    assert calls(plan) == [("a", Verb.START, "new")]
    elsewhere = decide(tree, replace(host(was, wanted=tree), lives={}))
    assert (elsewhere.stops, calls(elsewhere)) == ((), [("a", Verb.START, "new")])


def test_what_was_not_made_here_is_none_of_our_business() -> None:
    tree = grow("/b", [Unit("a")])
    there = host(tree)
    stranger = {"/b/sv/a/notes": FOREIGN, "/b/service/other": FOREIGN}
    assert decide(tree, replace(there, paths={**there.paths, **stranger})).empty


@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_differs_is_drift_when_it_was_made_here_and_foreign_when_not(known: bool) -> None:
    tree = grow("/b", [Unit("a")])
    there = host(tree)
    there = replace(there, paths={**there.paths, "/b/sv/a/run": FOREIGN}, manifest=there.manifest if known else Manifest())
    (step,) = decide(tree, there).steps
    assert (step.change, step.found) == (Change.REPLACE, Found.EDITED if known else Found.FOREIGN)


def test_a_difference_in_mode_and_owner_is_told() -> None:
    tree = grow("/b", [Unit("a")])
    there = host(tree)
    run = there.paths["/b/sv/a/run"]._replace(mode=0o777, uid=5)
    (step,) = decide(tree, replace(there, paths={**there.paths, "/b/sv/a/run": run})).steps
    assert step.reason == "mode 0777 -> 0755, owner 5:0 -> 0:0"


@pytest.mark.parametrize(("mode", "shown"), [(0o755, b"old"), (0o700, None)])
def test_a_diff_never_shows_what_not_everybody_may_read(mode: int, shown: bytes | None) -> None:
    tree = grow("/b", [Unit("a")])
    there = host(tree)
    paths = {**there.paths, "/b/sv/a/run": FOREIGN._replace(mode=mode)}
    (step,) = decide(tree, replace(there, paths=paths, contents={"/b/sv/a/run": b"old"})).steps
    assert step.old == shown


def test_everything_in_the_way_is_told_at_once() -> None:
    tree = grow("/b", [Unit("a"), Unit("b")])
    paths = {"/b/sv/a/run": Seen(Kind.DIRECTORY, 0o755, 0, 0), "/b/sv/b": Seen(Kind.LINK, target="/etc")}
    with pytest.raises(HostError) as caught:
        decide(tree, replace(bare(tree), paths=paths))
    assert [problem.message for problem in caught.value.problems] == [
        "a directory is in the place of a file",
        "a symbolic link is in the place of a directory",
    ]


def test_in_an_image_nothing_is_started() -> None:
    tree = grow("/b", [Unit("a")])
    plan = decide(tree, replace(bare(tree), alive=False))
    assert (len(plan.steps), plan.calls) == (5, ())


def test_one_users_plan_leaves_what_is_remembered_of_others_alone() -> None:
    tree = grow("/b", [Unit("a")])
    plan = decide(RenderedTree((), (), ()), replace(host(tree), user="joe"))
    assert (plan.empty, plan.manifest) == (True, host(tree).manifest)


def killed(*, lives: dict[str, tuple[Life, Life]] | None, done: frozenset[int] = frozenset()) -> Journal:
    old, new = (grow("/b", [Unit("a", run=run)]) for run in (b"old", b"new"))
    before, after = (next(seen(node) for node in tree.nodes if node.path.endswith("/run")) for tree in (old, new))
    intent = Intent("/b/sv/a/run", SYSTEM, before, after, after, "k", "", "a", Effect.RESTART, False, ORIGIN, False, False)
    return Journal("j", "apply", (intent,), (Call("restart", new.services[0], UP, Life()),), lives=lives, done=done)


@pytest.mark.parametrize(
    ("journal", "owed"),
    [
        (killed(lives=None), True),
        (killed(lives={"a": (UP, Life())}), True),
        (killed(lives={"a": (UP._replace(pid=6, since=0), Life())}), False),
        (killed(lives={"a": (UP, Life())}, done=frozenset([0])), False),
    ],
    ids=["killed before all files were new", "killed before the restart", "restarted meanwhile", "restart was answered"],
)
def test_what_a_killed_apply_owes_a_service_is_done_once(journal: Journal, owed: bool) -> None:
    tree = grow("/b", [Unit("a", run=b"new")])
    plan = decide(tree, replace(host(grow("/b", [Unit("a", run=b"new")])), journal=journal))
    assert calls(plan) == ([("a", Verb.RESTART, "an earlier apply did not get to it")] if owed else [])


def test_what_a_killed_apply_did_not_begin_it_does_not_owe() -> None:
    tree = grow("/b", [Unit("a", run=b"old")])
    assert decide(tree, replace(host(tree), journal=killed(lives=None))).empty


@pytest.mark.parametrize(("life", "asked"), [(UP, True), (UP._replace(pid=6, since=0), False)], ids=["as it was", "started since"])
def test_what_is_owed_to_a_user_whose_home_is_bad_is_done_once_that_is_good(life: Life, asked: bool) -> None:
    realm = Realm("joe", "/home/joe")
    tree = grow(realm.base, [Unit("a", run=b"new")], realm=realm)
    there = host(tree)
    journal = Journal("j", "apply", (), (Call("restart", tree.services[0], UP, Life()),), lives={"joe/a": (UP, Life())})
    bad = decide(tree, replace(there, paths={}, lives={}, journal=journal, refused={realm: (Problem("bad"),)}))
    assert (bad.calls, bad.manifest.owed) == ((), (Owed("restart", "joe/a", UP),))
    good = decide(tree, replace(there, manifest=bad.manifest, lives={"joe/a": (life, Life())}))
    assert calls(good) == ([("joe/a", Verb.RESTART, "an earlier apply did not get to it")] if asked else [])
    assert good.manifest.owed == ()


def test_a_shared_directory_that_was_there_stays_as_it_is_and_is_never_called_ours() -> None:
    tree = grow("/b", [Unit("a")])
    shared = tuple(
        replace(node, entry=replace(node.entry, shared=True))
        if isinstance(node.entry, Directory) and node.path == "/b/service"
        else node
        for node in tree.nodes
    )
    tree = replace(tree, nodes=shared)
    others = replace(bare(tree), paths={"/b/service": Seen(Kind.DIRECTORY, 0o700, 5, 5)})
    plan = decide(tree, others)
    assert "/b/service" not in [step.path for step in plan.steps]
    assert "/b/service" not in plan.manifest.records
    assert plan.unchanged == 1
    made = decide(tree, bare(tree))
    assert ("+", "/b/service", "new") in steps(made)
    assert "/b/service" in made.manifest.records


@pytest.mark.parametrize("account", [None, "joe"])
def test_a_shared_directory_may_be_a_link_of_the_systems_but_never_a_users(account: str | None) -> None:
    node = Node("/b/log", Directory(0o755, shared=True), Realm(account, "/b"), None, ORIGIN)
    tree = RenderedTree((node,), (), ())
    there = replace(bare(tree), paths={"/b/log": Seen(Kind.LINK, target="/srv/log")})
    if account is None:
        assert decide(tree, there).empty
    else:
        (problem,) = decide(tree, there).problems
        assert problem.message == "a symbolic link is in the place of a directory"


def test_what_is_in_the_way_of_a_user_leaves_alone_all_that_is_the_users_and_nothing_else() -> None:
    joe = grow("/home/joe", [Unit("a")], realm=Realm("joe", "/home/joe"))
    scanning = [replace(service, scans="/home/joe/service") for service in grow("/b", [Unit("runsvdir-joe")]).services]
    system = grow("/b", [Unit("runsvdir-joe"), Unit("x")])
    system = replace(system, services=(*scanning, *system.services[1:]))
    tree = join(system, joe)
    there = replace(bare(tree), paths={"/home/joe/sv/a": Seen(Kind.FILE, 0o644, 0, 0)})
    plan = decide(tree, there)
    assert [(problem.path, problem.message) for problem in plan.problems] == [
        ("/home/joe/sv/a", "a file is in the place of a directory")
    ]
    assert [step.path for step in plan.steps] == ["/b/sv", "/b/service", "/b/sv/x", "/b/sv/x/run", "/b/service/x"]
    assert calls(plan) == [("x", Verb.START, "new")]


def test_a_user_with_whom_something_is_wrong_is_remembered_as_before() -> None:
    tree = join(grow("/b", [Unit("x")]), grow("/home/joe", [Unit("a")], realm=Realm("joe", "/home/joe")))
    there = host(tree)
    bad = replace(there, refused={Realm("joe", "/home/joe"): (Problem("is bad"),)})
    plan = decide(grow("/b", [Unit("x")]), bad)
    assert plan.empty
    assert plan.problems == (Problem("is bad"),)
    assert plan.manifest == there.manifest


def test_what_an_account_had_that_is_no_more_is_forgotten() -> None:
    tree = join(grow("/b", [Unit("x")]), grow("/home/joe", [Unit("a")], realm=Realm("joe", "/home/joe")))
    plan = decide(grow("/b", [Unit("x")]), replace(host(tree), abandoned=frozenset({Realm("joe", "/home/joe")})))
    assert plan.empty
    assert list(plan.manifest.services) == ["x"]
    assert not [path for path in plan.manifest.records if path.startswith("/home")]


def test_a_script_that_only_names_another_key_restarts_nothing() -> None:
    scripts = [b"#!/bin/sh\nexec a\n", b"#!/bin/sh\n# runit-provision: runit.services.a\nexec a\n"]
    old, new = (grow("/b", [Unit("a", run=script)]) for script in scripts)
    there = replace(host(old), contents={"/b/sv/a/run": scripts[0]})
    plan = decide(new, there)
    assert steps(plan) == [("~", "/b/sv/a/run", "content changed")]
    assert calls(plan) == []


def test_a_mode_or_an_owner_alone_restarts_nothing() -> None:
    plan = decide(grow("/b", [Unit("a", mode=0o700)]), host(grow("/b", [Unit("a")])))
    assert steps(plan) == [("~", "/b/sv/a/run", "mode 0755 -> 0700")]
    assert calls(plan) == []
