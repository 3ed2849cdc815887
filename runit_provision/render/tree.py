"""The whole host as one rendered tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from graphlib import TopologicalSorter

from runit_provision.model.host import TREE_SERVICE, Host, Tree
from runit_provision.model.tree import Directory, File, Node, Realm, RenderedTree, ServiceTree
from runit_provision.render.pages import Pages
from runit_provision.render.services import Rendered, ServiceRenderer


def render_tree(host: Host, templates: Mapping[str, str]) -> RenderedTree:
    """Give what `host` means on disk: the directories, then each tree's services, then the links that make them live."""
    pages = Pages(templates)
    tools = f"{host.runtime.prefix}/bin"
    trees = [*(user.tree for user in host.users), host.tree]
    rendered = [(tree, [ServiceRenderer(pages, tree.realm, tools).render(service) for service in tree.services]) for tree in trees]
    nodes: dict[str, Node] = {}
    for tree, services in rendered:
        for node in (*_directories(tree), *(node for service in services for node in service.nodes)):
            nodes.setdefault(node.path, node)
    for node in _profile(host, pages):
        nodes[node.path] = node
    every: list[Rendered] = [service for _, services in rendered for service in services]
    links = [node for service in every for node in service.links]
    scanned = [(tree.service_directory, tree.realm) for tree in reversed(trees)]
    return RenderedTree(
        nodes=(*nodes.values(), *links),
        services=_in_order(service for one in every for service in one.services),
        scanned=(*scanned, *(directory for service in every for directory in service.scanned)),
    )


def _directories(tree: Tree) -> Iterator[Node]:
    """Give the directories that a tree's services lie in, with those above them as far as the tree's own hands reach."""
    for path in (tree.service_directory, tree.definitions, tree.logs):
        for above in (*_between(tree.realm, path), path):
            yield Node(above, Directory(0o755, shared=True), tree.realm, None, tree.origin)


def _between(realm: Realm, path: str) -> Iterator[str]:
    """Give the directories above `path` that lie below a user's base; above a host's directories nothing is made."""
    if realm.account is None:
        return
    parts = path.removeprefix(realm.base.rstrip("/") + "/").split("/")
    for depth in range(1, len(parts)):
        yield "/".join([realm.base.rstrip("/"), *parts[:depth]])


def _profile(host: Host, pages: Pages) -> Iterator[Node]:
    users = [(user.tree.account.name, user.tree.service_directory) for user in host.users if user.in_profile]
    if host.profile and users:
        text = pages.page("profile.sh.j2", key=f"{host.origin.key}.users", users=users)
        yield Node(host.profile, File(text, 0o644), host.tree.realm, None, host.origin)


def _in_order(services: Iterable[ServiceTree]) -> tuple[ServiceTree, ...]:
    """Put each service behind the tree that it is in and behind those that it requires; otherwise the order stays."""
    known = {service.id: service for service in services}
    graph: TopologicalSorter[str] = TopologicalSorter()
    for name, service in known.items():
        above = name.rpartition("/")[0]
        tree = above if above in known else f"{TREE_SERVICE}{above}" if f"{TREE_SERVICE}{above}" in known else None
        graph.add(name, *([tree] if tree else []), *(required for required in service.requires if required in known))
    return tuple(known[name] for name in graph.static_order())
