"""A plan of some services, and of all that is none: together they are the whole, and neither touches what is the other's."""

from __future__ import annotations

from dataclasses import replace

from support.trees import Unit, grow

from runit_provision.model.observed import Kind, Manifest, Observed, Record, Seen
from runit_provision.plan import decide, is_about, to_json

TREE = grow("/b", [Unit("a"), Unit("b", requires=("a",))])
NOTHING = Observed({}, {(node.realm, node.owner): (0, 0) for node in TREE.nodes}, {}, Manifest())
ALL = decide(TREE, NOTHING)
DONE = replace(NOTHING, paths={path: record.seen for path, record in ALL.manifest.records.items()}, manifest=ALL.manifest)


def paths(only: set[str], observed: Observed = NOTHING) -> list[str]:
    return [step.path for step in decide(TREE, observed, only=only).steps]


def test_one_service_is_made_with_the_directories_that_it_lies_in() -> None:
    assert paths({"a"}) == ["/b/sv", "/b/service", "/b/sv/a", "/b/sv/a/run", "/b/service/a"]
    part = decide(TREE, NOTHING, only={"a"})
    assert [call.service.id for call in part.calls] == ["a"]
    assert list(part.manifest.services) == ["a"]


def test_all_but_the_services_is_the_directories() -> None:
    assert paths(set()) == ["/b/sv", "/b/service"]


def test_what_is_remembered_of_the_others_stays() -> None:
    changed = replace(DONE, paths={**DONE.paths, "/b/sv/a/run": Seen(Kind.FILE, 0o600, 1, 1, 3, "0" * 64)})
    part = decide(TREE, changed, only={"b"})
    assert (part.steps, part.manifest.records) == ((), ALL.manifest.records)


def test_a_service_that_the_data_know_no_more_goes_with_what_is_no_service() -> None:
    tree = grow("/b", [Unit("a")])
    assert paths(set(), DONE) == []
    assert {step.service for step in decide(tree, DONE, only=set()).steps} == {"b"}
    assert decide(tree, DONE, only={"a"}).steps == ()
    rows = {row["service"]: row for row in to_json(decide(tree, DONE))["states"]}
    assert [(rows[name]["gone"], rows[name]["ensure"], rows[name]["drift"]) for name in "ab"] == [
        (False, "running", False),
        (True, "absent", True),
    ]


def test_a_whole_that_does_no_more_than_its_part_is_known_as_such() -> None:
    assert not is_about(ALL, TREE, {"a"})
    assert is_about(ALL, TREE, {"a", "b"})
    assert not is_about(ALL, TREE, set())
    stray = Manifest({**ALL.manifest.records, "/b/x": Record(Seen(Kind.LINK, target="/x"), TREE.nodes[0].realm, "x", live=True)})
    goes = decide(TREE, replace(DONE, paths={**DONE.paths, "/b/x": Seen(Kind.LINK, target="/x")}, manifest=stray))
    assert (is_about(goes, TREE, set()), is_about(goes, TREE, {"a"})) == (True, False)
