"""The host's service that runs a user's tree: a runsvdir that is the user's, in the user's environment."""

from __future__ import annotations

from dataclasses import replace

from runit_provision.model.account import Account
from runit_provision.model.ending import Finish, TreeEnd
from runit_provision.model.health import Probes, Settled
from runit_provision.model.host import TREE_SERVICE, Runtime, RuntimeKind, User
from runit_provision.model.logging import Log, Logger
from runit_provision.model.process import Credentials, Limits, Process, Variable
from runit_provision.model.run import Scan
from runit_provision.model.service import HANG_UP, Control, Service
from runit_provision.model.tree import Ensure
from runit_provision.schema.endings import PATIENCE
from runit_provision.schema.fields import variables
from runit_provision.schema.health import CHECK_TIMEOUT
from runit_provision.schema.host_spec import UserSpec
from runit_provision.schema.log_spec import LogSpec
from runit_provision.schema.logs import read_logger
from runit_provision.schema.place import Place


def tree_service(user: User, spec: UserSpec, host: Place, inner: Place, runtime: Runtime) -> Service:
    """Give the service `runsvdir-USER` of the host's tree."""
    name = f"{TREE_SERVICE}{user.name}"
    path = ("users", user.name)
    account = user.tree.account
    other = account.name if account.name != host.account.name else None
    if other and not host.privileged:
        host.problems.add(path, f"only root may run a tree as {other}, and the host's tree belongs to {host.account.name}")
    for at, group in ((("group",), spec.group), *((("groups", index), name) for index, name in enumerate(spec.groups))):
        if group and spec.manage is None:
            host.find_group(group, (*path, *at))
    inner_links = tuple(service.link for service in user.tree.services if service.ensure is not Ensure.ABSENT)
    enabled = spec.enabled and spec.ensure != "stopped"
    return Service(
        name=name,
        id=name,
        directory=f"{host.definitions}/{name}",
        link=f"{host.service_directory}/{name}",
        run=Scan(user.tree.service_directory, spec.title),
        origin=host.problems.origin(path),
        process=Process(
            credentials=_credentials(spec, account, changes_account=other is not None),
            environment=_environment(user, spec, runtime, changes_account=other is not None),
            limits=Limits(**spec.limits.model_dump()),
            nice=spec.nice,
            merge_stderr=True,
        ),
        ending=Finish(tree=TreeEnd(user.tree.service_directory, other, PATIENCE)),
        check=Probes((Settled(inner_links),), CHECK_TIMEOUT, other) if inner_links else None,
        control=(Control("t", HANG_UP),),
        log=_log(user, spec, host, inner),
        ensure=Ensure(spec.ensure),
        origins={f"limits.{name}": host.problems.origin((*path, "limits", name)) for name in spec.limits.model_fields_set},
        enabled=enabled,
    )


def _credentials(spec: UserSpec, account: Account, *, changes_account: bool) -> Credentials | None:
    group = spec.group if spec.group != account.group else None
    return Credentials(account, group, tuple(spec.groups)) if changes_account or group or spec.groups else None


_PRIVATE = ("RUNIT_PROVISION_STATE", "XDG_RUNTIME_DIR")
"""Directories of the account that the supervisor runs as, of no use to another."""


def _environment(user: User, spec: UserSpec, runtime: Runtime, *, changes_account: bool) -> tuple[Variable, ...]:
    account = user.tree.account
    tools = [f"{runtime.prefix}/bin"] if runtime.kind is RuntimeKind.SHIPPED else []
    path = dict.fromkeys([*tools, f"{account.home}/bin", "/usr/local/bin", "/usr/bin", "/bin"])
    values = {
        "HOME": account.home,
        "LOGNAME": account.name,
        "PATH": spec.path or ":".join(path),
        "SHELL": account.shell,
        "SVDIR": user.tree.service_directory,
        "USER": account.name,
    }
    unset = {name: Variable(name, None) for name in _PRIVATE} if changes_account else {}
    environment = unset | {name: Variable(name, value) for name, value in values.items()} | variables(spec.env)
    return tuple(environment[name] for name in sorted(environment))


def _log(user: User, spec: UserSpec, host: Place, inner: Place) -> Log | None:
    """Its log lies in the user's directory, so the user writes it."""
    log = read_logger("runsvdir", spec.log or LogSpec(), f"{user.tree.logs}/runsvdir", inner, ("users", user.name, "log"))
    if isinstance(log, Logger) and user.tree.account.name != host.account.name:
        return replace(log, account=user.tree.account)
    return log
