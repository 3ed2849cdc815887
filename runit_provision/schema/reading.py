"""The whole way from looked-up data to the desired state of a host."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from runit_provision.errors import DataError, Problem
from runit_provision.model.account import Account
from runit_provision.model.data import Table
from runit_provision.model.host import TREE_SERVICE, Host, Runtime, RuntimeKind, Tree, User
from runit_provision.model.tree import SYSTEM, Ensure, Origin, Realm
from runit_provision.schema import shape
from runit_provision.schema.host_spec import HostSpec, UserSpec
from runit_provision.schema.levels import read_levels
from runit_provision.schema.logins import read_logins, stand_ins
from runit_provision.schema.materials import Materials
from runit_provision.schema.place import Place, find_account
from runit_provision.schema.problems import Path, Problems
from runit_provision.schema.registry import Entry, Registry
from runit_provision.schema.relations import check_relations
from runit_provision.schema.service_spec import ServiceSpec
from runit_provision.schema.services import Reader, read_services, register
from runit_provision.schema.user_tree import tree_service

_PLACES = ("service_directory", "definitions", "log_directory", "profile")


def read(
    data: Any,
    accounts: Mapping[str, Account],
    shell: Callable[[str], str] | None,
    materials: Materials | None,
    groups: Callable[[str], int | None] | None,
    more: Callable[[Host], Iterable[Problem]] | None,
    strange: Callable[[Problem], None] | None,
    where: str,
) -> Host:
    """Give the desired state; DataError with every problem of the data."""
    if not isinstance(data, dict):
        raise DataError(Problem("has to be a hash", key=shape.PREFIX, hint="write `runit:` with keys below it"))
    given = data if isinstance(data, Table) else Table(data.items())
    unheard: dict[Path, list[str]] = {}
    data = shape.unify(given, unheard.__setitem__)
    problems = Problems(data, root=shape.PREFIX, where=where, strange=strange)
    for problem in shape.named_twice(given):
        problems.note(problem)
    spec = _validate(data, problems)
    _check_defaults(spec, problems)
    host = _host(spec, accounts, problems, shell, materials, groups)
    check_relations(host, problems)
    if problems and more:
        for problem in more(host):
            problems.note(problem)
    problems.raise_any()
    return replace(host, warnings=tuple(_unheard(unheard, problems)))


def _check_defaults(spec: HostSpec, problems: Problems) -> None:
    """Note defaults that would be services of every service."""
    trees: dict[Path, ServiceSpec | None] = {(): spec.defaults, **{("users", name): user.defaults for name, user in spec.users.items()}}
    for path, defaults in trees.items():
        for key in ("services", "instances"):
            if defaults and getattr(defaults, key) is not None:
                problems.add((*path, "defaults", key), "is nothing that every service could have", hint="say it in the service")


def _unheard(found: Mapping[Path, list[str]], problems: Problems) -> Iterator[Problem]:
    """Warn of what is said in vain for services with a script of their own, but for what they take away by `KEY: null`."""
    for path, keys in found.items():
        message = f"of its defaults it has no {', '.join(f'`{key}`' for key in keys)}: its `run` is the whole script"
        origin = problems.origin(path)
        yield Problem(message, mark=origin.mark, key=origin.key, hint=f"let the script see to it, and say `{keys[0]}: null`")


def _validate(data: Table, problems: Problems) -> HostSpec:
    """Give the data in its types. What is refused is noted and left out, so that what only the whole shows is found in the same go."""
    left: Any = data
    while True:
        try:
            return HostSpec.model_validate(left)
        except ValidationError as error:
            refused = problems.add_all(error, HostSpec)
        rest = left
        while rest == left:
            if not any(refused):
                problems.raise_any()
            rest = shape.without(left, refused)
            refused = tuple(path[:-1] for path in refused)  # what is wrong cannot be named alone: leave out what it stands in
        left = rest


def _host(
    spec: HostSpec,
    accounts: Mapping[str, Account],
    problems: Problems,
    shell: Callable[[str], str] | None,
    materials: Materials | None,
    known_groups: Callable[[str], int | None] | None,
) -> Host:
    runtime = _runtime(spec)
    owner_uid = accounts[spec.owner].uid if spec.owner in accounts else 0
    logins, groups = read_logins(spec, accounts, problems, privileged=owner_uid == 0)
    if logins:
        accounts = ChainMap(stand_ins(logins, accounts), accounts)  # type: ignore[arg-type]  # it is only read
    owner = find_account(spec.owner, ("owner",), accounts, problems)
    place = Place(
        account=owner,
        accounts=accounts,
        problems=problems,
        shell=shell,
        materials=materials,
        group_number=known_groups,
        coming_groups=frozenset((*(group.name for group in groups), *(login.group for login in logins))),
        template_path=tuple(spec.template_path),
        file_path=tuple(spec.file_path),
        realm=SYSTEM,
        log_realm=SYSTEM,
        shipped=runtime.kind is RuntimeKind.SHIPPED,
        service_directory=spec.service_directory,
        definitions=spec.definitions,
        logs=spec.log_directory,
        path=("services",),
    )
    registry = Registry()
    readers = register(spec.services, place, registry)
    inner = {name: _user_place(name, spec.users[name], spec, place) for name in sorted(spec.users)}
    inner_readers = {name: register(spec.users[name].services, inner[name], registry) for name in inner}
    for name in inner:
        registry.add(Entry(f"{TREE_SERVICE}{name}", f"{spec.service_directory}/{TREE_SERVICE}{name}", owner))
    for reader in (*readers, *(reader for each in inner_readers.values() for reader in each)):
        reader.look_around()
    services = read_services(readers)
    users = [_user(name, spec.users[name], spec, inner[name], inner_readers[name]) for name in inner]
    trees = [tree_service(user, spec.users[user.name], place, inner[user.name], runtime) for user in users]
    trees = [replace(tree, watched=tree.id in registry.watched) for tree in trees]
    levels = read_levels(spec, {service.name for service in (*services, *trees)}, problems)
    tree = Tree(
        account=owner,
        realm=SYSTEM,
        service_directory=spec.service_directory,
        definitions=spec.definitions,
        logs=spec.log_directory,
        services=(*services, *trees),
        origin=problems.origin(()),
        purge=problems.origin(("purge",)) if spec.purge else None,
        drops_logs=spec.purge_logs,
        origins=problems.origins((), [(key,) for key in _PLACES if key in spec.model_fields_set]),
    )
    profile = spec.profile if any(user.in_profile for user in users) else None
    return Host(runtime, tree, tuple(users), profile, problems.origin(()), levels, tuple(spec.template_path), logins, groups)


def _runtime(spec: HostSpec) -> Runtime:
    kind = RuntimeKind(spec.runtime) if spec.runtime else RuntimeKind.PACKAGE_FILE if spec.package_file else RuntimeKind.SHIPPED
    return Runtime(kind, spec.prefix, bool(spec.runtime), spec.package_file, spec.filestore, spec.workspace)


def _user_place(name: str, spec: UserSpec, host: HostSpec, place: Place) -> Place:
    """Give the place of a user's tree."""
    path = ("users", name)
    account = place.find_account(spec.account or name, (*path, "account") if spec.account else path)
    home = spec.home or (f"{host.home}/{name}" if host.home else account.home)
    base = spec.basedir or (f"{host.basedir}/{name}" if host.basedir else home)
    realm = Realm(account.name, base)
    logs = spec.logdir or (f"{host.logdir}/{name}" if host.logdir else f"{base}/logs")
    inner = replace(
        place,
        account=replace(account, home=home),
        realm=realm,
        log_realm=realm if realm.holds(logs) else Realm(account.name, logs),
        service_directory=spec.service_directory or f"{base}/service",
        definitions=spec.definitions or f"{base}/runit",
        logs=logs,
        path=(*path, "services"),
        prefix=f"{name}/",
    )
    if not base.strip("/"):
        place.problems.add(path, "its files would lie in /, which is everybody's", hint="give the user a `basedir` of its own")
    inner.check_inside("service_directory", inner.service_directory, path)
    inner.check_inside("definitions", inner.definitions, path)
    return inner


def _user_origins(name: str, spec: UserSpec, host: HostSpec, problems: Problems) -> dict[str, Origin]:
    """Give which key says where each of the user's places is; nothing where none does."""
    wholes = ("basedir", spec.basedir, host.basedir), ("home", spec.home, host.home)
    base = next((("users", name, key) if own else (key,) for key, own, hosts in wholes if own or hosts), None)
    said: dict[str, Path | None] = {
        key: ("users", name, key) if getattr(spec, key) else base for key in ("service_directory", "definitions", "logdir")
    }
    if host.logdir and not spec.logdir:
        said["logdir"] = ("logdir",)
    return {key: problems.origin(path) for key, path in said.items() if path}


def _user(name: str, spec: UserSpec, host: HostSpec, place: Place, readers: list[Reader]) -> User:
    services = read_services(readers)
    if spec.ensure == "absent":
        services = tuple(replace(service, ensure=Ensure.ABSENT) for service in services)
    path = ("users", name)
    tree = Tree(
        account=place.account,
        realm=place.realm,
        log_realm=place.log_realm,
        folders=(host.logdir,) if host.logdir and place.log_realm != place.realm and not spec.logdir else (),
        service_directory=place.service_directory,
        definitions=place.definitions,
        logs=place.logs,
        services=services,
        origin=place.problems.origin(path),
        purge=place.problems.origin((*path, "purge")) if spec.purge else None,
        drops_logs=spec.purge_logs,
        origins=_user_origins(name, spec, host, place.problems),
    )
    return User(name, tree, in_profile=spec.profile and spec.ensure != "absent")
