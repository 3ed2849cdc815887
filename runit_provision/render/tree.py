"""The whole host as one rendered tree."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from graphlib import TopologicalSorter

from runit_provision.model.host import TREE_SERVICE, Host, Tree
from runit_provision.model.tree import SYSTEM, Directory, File, Node, Owner, Purge, RenderedTree, ServiceTree
from runit_provision.render import levels
from runit_provision.render.folders import between
from runit_provision.render.pages import Pages, PatientPages
from runit_provision.render.services import Rendered, ServiceRenderer


def render_tree(host: Host, templates: Mapping[str, str]) -> RenderedTree:
    """Give what `host` means on disk: the directories, then each tree's services, then the links that make them live."""
    pages = PatientPages(templates)
    tools = f"{host.runtime.prefix}/bin"
    trees = [*(user.tree for user in host.users), host.tree]
    renderers = [
        ServiceRenderer(pages, tree.account.name, tree.realm, tools, host.levels if tree is host.tree else None) for tree in trees
    ]
    rendered = [(tree, [each.render(service) for service in tree.services]) for tree, each in zip(trees, renderers, strict=True)]
    nodes: dict[str, Node] = {}
    for tree, services in rendered:
        for node in (
            *_directories(tree, host),
            *(node for service in services for node in service.nodes),
        ):
            nodes.setdefault(node.path, node)
    for node in _profile(host, pages):
        nodes.setdefault(node.path, node)
    every: list[Rendered] = [service for _, services in rendered for service in services]
    links = [node for service in every for node in service.links]
    scanned = [(tree.service_directory, tree.realm) for tree in reversed(trees)]
    pages.raise_any()
    return RenderedTree(
        nodes=(*nodes.values(), *links, *(levels.switch(host.levels, host.tree) if host.levels else ())),
        services=_in_order(service for one in every for service in one.services),
        scanned=(*scanned, *(directory for service in every for directory in service.scanned)),
        purges=tuple(_purge(tree, host) for tree in reversed(trees) if tree.purge),
        drops_logs=frozenset(tree.realm for tree in trees if tree.drops_logs),
    )


def outline(host: Host, accounts: Container[str]) -> RenderedTree:
    """Give the directories alone that the trees lie in, of those that belong to one of `accounts`."""
    trees = [tree for tree in (*(user.tree for user in host.users), host.tree) if tree.account.name in accounts]
    nodes = {node.path: node for tree in reversed(trees) for node in _directories(tree, host)}
    return RenderedTree(tuple(nodes.values()), (), ())


def _purge(tree: Tree, host: Host) -> Purge:
    assert tree.purge is not None
    directories: tuple[str, ...] = (tree.service_directory,)
    if tree is host.tree and host.levels:
        directories = tuple(f"{host.levels.directory}/{level.name}" for level in host.levels.all)
    return Purge(tree.realm, directories, tree.definitions, tree.purge)


def _directories(tree: Tree, host: Host) -> Iterator[Node]:
    """Give the directories that a tree's services lie in, with those above them as far as the tree's own hands reach."""
    places = {
        "service_directory": tree.service_directory,
        "definitions": tree.definitions,
        "log_directory" if tree is host.tree else "logdir": tree.logs,
    }
    if tree is host.tree and host.levels is not None:
        del places["service_directory"]
        yield from levels.directories(host.levels, tree)
    if tree.log_realm != tree.realm:
        del places["logdir"]
        yield from _given(tree)
    for name, path in places.items():
        for above in (*between(tree.realm, path), path):
            yield Node(above, Directory(0o755, shared=True), tree.realm, None, tree.origin_of(name))


def _given(tree: Tree) -> Iterator[Node]:
    """Give the directory of a user's log directories where it lies outside the user's own: the system makes it, and gives it away."""
    origin, owner = tree.origin_of("logdir"), Owner(tree.account.name)
    for above in tree.folders:
        yield Node(above, Directory(0o755, shared=True), SYSTEM, None, origin)
    yield Node(tree.logs, Directory(0o755, shared=True), SYSTEM, owner, origin)


def _profile(host: Host, pages: Pages) -> Iterator[Node]:
    users = [(user.tree.account.name, user.tree.service_directory) for user in host.users if user.in_profile]
    if host.profile and users:
        text = pages.page("profile.sh.j2", key=f"{host.origin.key}.users", users=users)
        origin = host.tree.origin_of("profile")
        if host.tree.realm.account is None:
            for above in between(host.tree.realm, host.profile):
                yield Node(above, Directory(0o755, shared=True), host.tree.realm, None, origin)
        yield Node(host.profile, File(text, 0o644), host.tree.realm, None, origin)


def _in_order(services: Iterable[ServiceTree]) -> tuple[ServiceTree, ...]:
    """Put each service behind the tree that it is in and behind those that it requires; otherwise the order stays."""
    known = {service.id: service for service in services}
    graph: TopologicalSorter[str] = TopologicalSorter()
    for name, service in known.items():
        above = name.rpartition("/")[0]
        tree = above if above in known else f"{TREE_SERVICE}{above}" if f"{TREE_SERVICE}{above}" in known else None
        graph.add(name, *([tree] if tree else []), *(required for required in service.requires if required in known))
    return tuple(known[name] for name in graph.static_order())
