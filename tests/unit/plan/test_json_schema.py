"""The plan as JSON is as its schema says, whatever is in it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator
from support.trees import Unit, grow

from runit_provision.model.observed import Kind, Manifest, Observed, Record, Seen
from runit_provision.model.plan import Change, Found, Plan, Verb
from runit_provision.model.tree import RenderedTree
from runit_provision.plan import decide, to_json
from runit_provision.plan.json_schema import json_schema

TREE = grow("/b", [Unit("a", log=b"#!/bin/sh\n"), Unit("b")])
OWNERS = {(node.realm, node.owner): (0, 0) for node in TREE.nodes}
FIRST = decide(TREE, Observed({}, OWNERS, {}, Manifest()))
DONE = {path: record.seen for path, record in FIRST.manifest.records.items()}
EDITED = {**DONE, "/b/sv/a/run": Seen(Kind.FILE, 0o600, 1, 1, 3, "0" * 64), "/b/sv/b/run": Seen(Kind.FILE, 0o755, 0, 0, 99999, "")}
STRAY = Manifest({**FIRST.manifest.records, "/b/sv/c": Record(Seen(Kind.LINK, target="/x"), TREE.nodes[0].realm, "c", live=True)})


def faults(value: object) -> list[str]:
    return [f"{fault.json_path}: {fault.message}" for fault in Draft202012Validator(json_schema()).iter_errors(value)]


def printed(plan: Plan, runtime: str | None = None) -> dict[str, object]:
    return {**to_json(plan), "empty": plan.empty, "runtime": runtime, "notes": [], "warnings": [], "root": "/"}


PLANS = {
    "all is new": FIRST,
    "nothing to do": decide(TREE, Observed(DONE, OWNERS, {}, FIRST.manifest)),
    "files that hands changed": decide(TREE, Observed(EDITED, OWNERS, {}, FIRST.manifest)),
    "what goes": decide(TREE, Observed({**DONE, "/b/sv/c": STRAY.records["/b/sv/c"].seen}, OWNERS, {}, STRAY)),
    "all goes": decide(RenderedTree((), (), ()), Observed(DONE, {}, {}, FIRST.manifest)),
    "a killed one": replace(FIRST, resumes=True, leftovers=(("/b/.x", TREE.nodes[0].realm),)),
}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_plan_is_as_the_schema_says(plan: Plan) -> None:
    assert faults(printed(plan)) == faults(printed(plan, "/usr/local")) == []
    assert printed(plan).keys() == json_schema()["properties"].keys()
    described = json_schema()["properties"]["paths"]["items"]["properties"].keys()
    assert all(path.keys() == described for path in to_json(plan)["paths"])


def test_the_schema_names_every_change_verb_and_origin() -> None:
    paths, services = (json_schema()["properties"][name]["items"]["properties"] for name in ("paths", "services"))
    assert paths["change"]["enum"] == [change.name.lower() for change in Change] == ["create", "replace", "remove"]
    assert paths["found"]["enum"] == [found.value for found in Found]
    assert services["verb"]["enum"] == [verb.value for verb in Verb]


def test_the_schema_is_one_and_refuses_what_is_none_of_its_plans() -> None:
    Draft202012Validator.check_schema(json_schema())
    assert faults({**printed(PLANS["all is new"]), "empty": "no"}) == ["$.empty: 'no' is not of type 'boolean'"]
