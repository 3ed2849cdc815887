"""A plan as people and machines read it."""

from __future__ import annotations

from dataclasses import replace

from support.trees import Unit, grow

from runit_provision.model.observed import Kind, Manifest, Observed, Seen
from runit_provision.model.plan import Change, Found, LoginStep, PathStep, Plan, ServiceStep, Verb
from runit_provision.model.tree import Origin, RenderedTree
from runit_provision.plan import decide, describe, to_json
from runit_provision.plan.verbs import counted

TREE = grow("/b", [Unit("a", run=b"#!/bin/sh\nexec new\n")])
OLD = Seen(Kind.FILE, 0o755, 0, 0, 3, "0" * 64)
LOGINS = [
    (Change.CREATE, "group", "a"),
    (Change.CREATE, "group", "b"),
    (Change.REPLACE, "account", "a"),
    (Change.CREATE, "home", "/home/a"),
]
NEW = Seen(Kind.FILE, 0o755, 0, 0, 4, "1" * 64)


def replaced(tree: RenderedTree = TREE, *, old: bytes | None = b"#!/bin/sh\nexec old\n") -> PathStep:
    node = next(node for node in tree.nodes if node.path.endswith("/run"))
    return PathStep(
        Change.REPLACE, node.path, node.realm, OLD, NEW, "content changed", node.origin, Found.OURS, node, service="a", old=old
    )


def test_each_step_is_a_line_with_its_sign_and_reason_and_the_last_line_counts() -> None:
    plan = Plan(writes=(replaced(),), calls=(ServiceStep(Verb.RESTART, TREE.services[0], "run changed"),), unchanged=4)
    assert describe(plan) == [
        "~ /b/sv/a/run  content changed: runit.services (data.yaml:3)",
        "! a            restart: run changed",
        "1 file to replace, 1 service to restart, 4 unchanged",
    ]


def test_a_diff_shows_what_changes() -> None:
    assert describe(Plan(writes=(replaced(),)), diff=True)[1:-1] == [
        "    --- now",
        "    +++ then",
        "    @@ -1,2 +1,2 @@",
        "     #!/bin/sh",
        "    -exec old",
        "    +exec new",
    ]


def test_a_link_says_where_it_leads() -> None:
    there = decide(TREE, Observed(paths={}, owners={(TREE.nodes[0].realm, None): (0, 0)}, lives={}, manifest=Manifest()))
    shown = describe(there, diff=True)
    assert shown[shown.index("+ /b/service/a  new: runit.services (data.yaml:3)") + 1] == "    leads to /b/sv/a"


def test_services_and_their_logs_are_counted_in_words() -> None:
    calls = [ServiceStep(verb, TREE.services[0], "") for verb in (Verb.START, Verb.LOG_HUP, Verb.START, Verb.LEAVE)]
    assert counted(calls) == ["2 services to start", "1 log service to signal (HUP)", "1 service to leave as it runs"]
    assert counted(calls[:3], done=True) == ["2 services started", "1 log service signalled (HUP)"]


def test_groups_accounts_and_homes_are_counted_each() -> None:
    steps = [LoginStep(change, kind, name, "new", Origin("runit.users.a")) for change, kind, name in LOGINS]
    assert describe(Plan(logins=tuple(steps)))[-1] == "2 groups to make, 1 account to change, 1 home to make, 0 unchanged"


def test_of_a_secret_nothing_is_shown_but_that_it_differs() -> None:
    tree = grow("/b", [Unit("a", run=b"token=hush", secret=True)])
    plan = Plan(writes=(replaced(tree, old=None),))
    assert describe(plan, diff=True)[1] == "    (the content is secret)"
    said = repr(describe(plan, diff=True)) + repr(to_json(plan)) + repr(plan)
    assert "hush" not in said
    assert to_json(plan)["paths"][0]["after"]["digest"] is None


def test_of_what_is_there_and_not_for_everybody_to_read_nothing_is_shown_either() -> None:
    """A secret becomes a plain value."""
    step = replace(replaced(old=None), before=OLD._replace(mode=0o600))
    assert describe(Plan(writes=(step,)), diff=True)[1] == "    (what is there not everybody may read)"
    (said,) = to_json(Plan(writes=(step,)))["paths"]
    assert (said["before"]["digest"], said["after"]["digest"]) == (None, NEW.digest)


def test_a_name_cannot_move_the_cursor() -> None:
    step = replace(replaced(), path="/b/sv/a\x1b[2J/run")
    assert describe(Plan(writes=(step,)))[0].startswith("~ /b/sv/a\\x1b[2J/run  ")


def test_an_empty_plan_is_one_line() -> None:
    assert describe(Plan(unchanged=3)) == ["nothing to do; 3 unchanged"]


def test_json_has_a_stable_shape() -> None:
    plan = Plan(writes=(replaced(),), calls=(ServiceStep(Verb.RESTART, TREE.services[0], "run changed"),), unchanged=4)
    assert to_json(plan) == {
        "version": 1,
        "empty": False,
        "resumes": False,
        "logins": [],
        "paths": [
            {
                "change": "replace",
                "path": "/b/sv/a/run",
                "reason": "content changed",
                "key": "runit.services",
                "file": "data.yaml",
                "line": 3,
                "found": "ours",
                "account": None,
                "service": "a",
                "before": {"kind": "file", "mode": "0755", "uid": 0, "gid": 0, "size": 3, "digest": "0" * 64},
                "after": {"kind": "file", "mode": "0755", "uid": 0, "gid": 0, "size": 4, "digest": "1" * 64},
            }
        ],
        "services": [{"service": "a", "verb": "restart", "reason": "run changed"}],
        "states": [
            {
                "service": "a",
                "key": "runit.services",
                "ensure": "absent",
                "gone": False,
                "made": False,
                "state": "not supervised",
                "want": None,
                "pid": None,
                "since": None,
                "log": None,
                "log_directory": None,
                "gave_up": False,
                "drift": True,
                "reasons": ["run: content changed", "restart: run changed"],
                "left": None,
                "problems": [],
            }
        ],
        "leftovers": [],
        "problems": [],
        "summary": {"text": "1 file to replace, 1 service to restart, 4 unchanged", "unchanged": 4},
    }
