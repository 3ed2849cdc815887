"""The way that is spared: when nothing that the last apply's answer came from has changed, the answer is the same.

An apply that did all that it was to do leaves in the manifest what it was asked, and a digest of all that was read to answer it (see
inputs.py). Who asks the same, and finds all of it as it was, need only hold the host against the manifest: nothing is looked up, read
into types or rendered. When anything is in doubt, nothing is recalled, and the whole way is gone.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from runit_provision.app.source import Source
from runit_provision.app.target import Target
from runit_provision.errors import ProvisionError
from runit_provision.host import Machine
from runit_provision.inputs import Inputs
from runit_provision.model.answer import Answer, Beside
from runit_provision.model.plan import Plan
from runit_provision.model.tree import Directory, Link, Node, Origin, RenderedTree
from runit_provision.plan.settled import settled

if TYPE_CHECKING:
    from runit_provision.app.desired import Desired

_ACCOUNTS = ("account", "group", "login")


def recall(source: Source, target: Target, machine: Machine) -> tuple[Plan, Answer] | None:
    """Give the plan that does nothing, and the answer that it comes from; None when the whole way has to be gone. Reads only."""
    machine.nurse()
    try:
        manifest = machine.library.manifest()
        answer = manifest.answer
        if answer is None or answer.question != _question(source, target) or not _still_said(answer, machine):
            return None
        plan = settled(answer.beside, machine.observe(_tree(answer), user=target.user, manifest=manifest))
    except (OSError, ProvisionError):
        return None  # what is wrong is found again on the whole way, and said there
    return (plan, answer) if plan else None


def _still_said(answer: Answer, machine: Machine) -> bool:
    inputs = Inputs()
    for question in answer.asked:
        if question[0] in _ACCOUNTS:
            inputs.note(question, machine.accounts.ask(question))
        elif not inputs.ask(question):
            return False
    return inputs.repeatable and inputs.digest(answer.salt) == answer.digest


def answered(source: Source, target: Target, machine: Machine, inputs: Inputs, desired: Desired, plan: Plan) -> Answer | None:
    """Give what is to be remembered of an apply that does `plan`; None when the same question may have another answer next time."""
    from runit_provision.app.demands import demands

    for question, said in machine.accounts.said.items():
        inputs.note(question, said)
    if plan.problems or not inputs.repeatable:
        return None
    earlier = plan.remembered.answer
    salt = earlier.salt if earlier else os.urandom(16).hex()
    return Answer(
        question=_question(source, target),
        asked=inputs.questions,
        salt=salt,
        digest=inputs.digest(salt),
        beside=tuple(_beside(node) for node in desired.tree.nodes if node.path not in plan.manifest.records),
        demands=demands(desired.host, target),
        warnings=desired.warnings,
        purges=desired.tree.purges,
    )


def _beside(node: Node) -> Beside:
    return Beside(node.path, node.realm, node.entry.target if isinstance(node.entry, Link) else None)


def _tree(answer: Answer) -> RenderedTree:
    nodes = (
        Node(path, Directory(0) if target is None else Link(target), realm, None, Origin("")) for path, realm, target in answer.beside
    )
    return RenderedTree(tuple(nodes), (), (), answer.purges)


def _question(source: Source, target: Target) -> str:
    return json.dumps([asdict(source), str(target.root), target.user], default=_named, sort_keys=True)


def _named(value: object) -> str:
    """Give a path so that a relative one is another in each folder, since templates and files are looked for where the data lie."""
    return f"{Path.cwd()}/./{value}" if isinstance(value, Path) and not value.is_absolute() else str(value)
