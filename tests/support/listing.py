"""A rendered tree as text that a person reads and that a test compares, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from runit_provision.model.tree import Directory, Effect, File, Link, Node, RenderedTree, ServiceTree


def listing(tree: RenderedTree) -> str:
    """Give every node with all that it says, then every service."""
    return "\n".join([*(line for node in tree for line in _node(node)), "", *map(_service, tree.services), ""])


def _node(node: Node) -> Iterator[str]:
    hands = node.realm.account or "host"
    notes = [f"owner {':'.join(filter(None, (node.owner.user, node.owner.group)))}"] if node.owner else []
    notes += [node.effect.value] if node.effect is not Effect.NOTHING else []
    notes += ["live"] if node.live else []
    note = f"  ({', '.join(notes)})" if notes else ""
    match node.entry:
        case Directory(mode):
            yield f"{hands:8} {mode:04o} {node.path}/{note}"
        case Link(target):
            yield f"{hands:8} link {node.path} -> {target}{note}"
        case File(content, mode, secret):
            yield f"{hands:8} {mode:04o} {node.path}{' (secret)' if secret else ''}{note}"
            text = content.decode().replace("\0", "\\0")
            yield from (f"              | {line}" for line in text.removesuffix("\n").split("\n") if text)
        case _:
            assert_never(node.entry)


def _service(service: ServiceTree) -> str:
    words = [service.ensure.value, "enabled" if service.enabled else "not enabled"]
    words += ["one-shot"] if service.one_shot else []
    words += [f"after {', '.join(service.requires)}"] if service.requires else []
    words += [f"logs to {service.log_directory}"] if service.log_directory else []
    return f"service {service.id}: {', '.join(words)}"
