"""What is written down before anything is done."""

from __future__ import annotations

from support.trees import ORIGIN, Unit, grow

from runit_provision.apply import journal, paths
from runit_provision.apply.calls import groups
from runit_provision.host import records
from runit_provision.model.observed import Kind, Life, Manifest, Record, Seen
from runit_provision.model.plan import Change, PathStep, Plan, ServiceStep, Verb
from runit_provision.model.tree import Directory, Effect, Node, Realm, RenderedTree

USER = Realm("joe", "/home/joe")


def created(tree: RenderedTree) -> Plan:
    """The plan that makes all of `tree`."""
    steps = [
        PathStep(Change.CREATE, node.path, node.realm, None, seen(node), "new", ORIGIN, node=node, service=node.service, live=node.live)
        for node in tree.nodes
    ]
    return Plan(writes=tuple(step for step in steps if not step.live), links=tuple(step for step in steps if step.live))


def seen(node: Node) -> Seen:
    return Seen(Kind.DIRECTORY if isinstance(node.entry, Directory) else Kind.FILE, 0o755, 0, 0)


def test_a_new_directory_is_made_as_a_whole_and_its_live_links_get_their_names_last() -> None:
    assert journal.staging(created(grow("/b", [Unit("a")]))) == {
        "/b/sv": "/b/.runit-provision.sv",
        "/b/service": "/b/.runit-provision.service",
        "/b/sv/a": "/b/.runit-provision.sv/a",
        "/b/sv/a/run": "/b/.runit-provision.sv/a/run",
        "/b/service/a": "/b/.runit-provision.service/.runit-provision.a",
    }


def test_the_journal_names_what_is_to_be_swept_and_comes_back_as_it_was_written() -> None:
    tree = grow("/b", [Unit("a")])
    plan = created(tree)
    found = journal.describe(plan, command="apply", earlier=None)
    assert [intent.staged for intent in found.intents if intent.staged] == [
        "/b/.runit-provision.sv",
        "/b/.runit-provision.service",
        "/b/service/.runit-provision.a",
    ]
    lives = {"a": (Life(True, True, True, 7, 8), Life())}
    lines = records.dump_journal(found) + records.dump_lives(lives) + records.dump_done([0]) + b'{"done":'
    back = records.load_journal(lines)
    assert back is not None
    assert (back.intents, back.lives, back.done) == (found.intents, lives, frozenset([0]))


def test_a_manifest_comes_back_as_it_was_written() -> None:
    tree = grow("/b", [Unit("a\udcff\n"), Unit("b", requires=("a",))])
    seen = Seen(Kind.FILE, 0o700, 1, 2, 3, "digest")
    remembered = {node.path: Record(seen, node.realm, node.service, Effect.RESTART, node.live) for node in tree.nodes}
    manifest = Manifest(remembered, {service.id: service for service in tree.services})
    assert records.load_manifest(records.dump_manifest(manifest)) == manifest


def test_a_realm_whose_base_is_made_here_comes_in_a_later_wave() -> None:
    system = created(grow("/home/joe", [Unit("a")])).writes
    inner = created(grow("/home/joe/sv/a", [Unit("b")], realm=Realm("log", "/home/joe/sv/a"))).writes
    assert list(paths.waves([*inner, *system])) == [list(system), list(inner)]


def test_services_wait_for_those_they_require_and_for_the_tree_they_lie_in() -> None:
    host = grow("/b", [Unit("a"), Unit("b", requires=("a",)), Unit("c", requires=("a",))]).services
    user = grow("/home/joe", [Unit("d")], realm=USER).services
    steps = [ServiceStep(Verb.START, service, "new") for service in (*host, *user)]
    assert [[step.service.id for step in group] for group in groups(steps)] == [["a"], ["b", "c"], ["joe/d"]]
    assert [[step.service.id for step in group] for group in groups(steps[::-1], backwards=True)] == [["joe/d"], ["c", "b"], ["a"]]
