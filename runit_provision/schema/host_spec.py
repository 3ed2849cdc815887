"""The keys of the host and of its users."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from runit_provision.schema.base import Spec
from runit_provision.schema.fields import Absolute, Flag, Line, Lines, Name, Variables
from runit_provision.schema.log_spec import LogValue
from runit_provision.schema.service_spec import LimitsSpec, ServiceSpec


class UserSpec(Spec):
    """A user whose services the host supervises."""

    account: Line | None = None
    """The login whose credentials run the tree; default: the user's name."""
    home: Absolute | None = None
    """Home directory; default: the account's."""
    basedir: Absolute | None = None
    """Directory that holds `service`, `runit` and `logs`; default: the home."""
    service_directory: Absolute | None = None
    """Directory that the user's runsvdir scans; default `~/service`."""
    definitions: Absolute | None = None
    """Directory of the service directories; default `~/runit`."""
    logdir: Absolute | None = None
    """Directory of the log directories; default `~/logs`."""
    group: Line | None = None
    """The group that the tree runs as; default: the account's primary one."""
    groups: Lines = Field(default_factory=list)
    """Supplementary groups."""
    env: Variables = Field(default_factory=dict)
    """Environment of the whole tree."""
    path: Line | None = None
    """PATH of the whole tree; default: the runtime's tools, `~/bin`, and the system's directories."""
    limits: LimitsSpec = LimitsSpec()
    """Soft limits of the whole tree."""
    nice: Annotated[int, Field(ge=-40, le=40)] = 0
    """Niceness that is added."""
    log: LogValue | None = None
    """The log of the user's runsvdir, in `~/logs/runsvdir`."""
    title: Annotated[int, Field(ge=0, le=4000)] = 0
    """Bytes of the rolling process title that shows what was last written to standard error, and which no log then gets; 0 for none."""
    profile: Flag = True
    """Login shells of the user get SVDIR."""
    ensure: Literal["running", "stopped", "absent", "any"] = "running"
    """The state of the whole tree."""
    enabled: Flag = True
    """The tree starts at boot."""
    purge: Flag = False
    """Services that are found in the user's service directory, and are not in the data, go."""
    purge_logs: Flag = False
    """The logs of services that go, go with them; default: they stay."""
    defaults: ServiceSpec | None = None
    """What the user's services have unless they say otherwise."""
    services: dict[Name, ServiceSpec] = Field(default_factory=dict)
    """The user's services."""


def _profile(value: Any) -> Any:
    return {True: "/etc/profile.d/runit-provision.sh", False: None}.get(value, value) if isinstance(value, bool) else value


class HostSpec(Spec):
    """The hash `runit`."""

    runtime: Literal["shipped", "package", "package_file", "none"] | None = None
    """Which runit supervises: the `shipped` runtime (default), the distribution's `package`, a `package_file`, or `none` of ours."""
    prefix: Absolute = "/usr/local"
    """Where the shipped runtime lies; its tools are in PREFIX/bin."""
    package_file: Line | None = None
    """File name of the distribution's runit, instead of the shipped runtime."""
    filestore: Line | None = None
    """Directory that `package_file` is found in."""
    workspace: Absolute | None = None
    """Directory that it is copied to and installed from."""
    owner: Line = "root"
    """The account that the host's tree belongs to."""
    service_directory: Absolute = "/etc/service"
    """Directory that the host's runsvdir scans."""
    definitions: Absolute = "/etc/sv"
    """Directory of the service directories."""
    levels: dict[Name, list[Name]] = Field(default_factory=dict)
    """Run levels: for each the host's services that it has; a service that none names is in all of them."""
    level: Name | None = None
    """The current run level; default: `default`."""
    levels_directory: Absolute = "/etc/runit/runsvdir"
    """Directory of the run levels, each a directory of links; `service_directory` leads to its `current`."""
    log_directory: Absolute = "/var/log/runit"
    """Directory of the log directories."""
    purge: Flag = False
    """Services that are found in `service_directory`, and are not in the data, go."""
    purge_logs: Flag = False
    """The logs of services that go, go with them; default: they stay."""
    home: Absolute | None = None
    """Directory that holds the users' homes, each by the user's name; default: as the accounts say."""
    basedir: Absolute | None = None
    """Directory that holds a `basedir` for each user, by the user's name."""
    logdir: Absolute | None = None
    """Directory that holds a `logdir` for each user, by the user's name."""
    profile: Annotated[Absolute | None, BeforeValidator(_profile)] = "/etc/profile.d/runit-provision.sh"
    """The file in which login shells find SVDIR for the users; `false` writes none."""
    defaults: ServiceSpec | None = None
    """What all services have unless they, or their user's `defaults`, say otherwise."""
    services: dict[Name, ServiceSpec] = Field(default_factory=dict)
    """The host's services."""
    users: dict[Name, UserSpec] = Field(default_factory=dict)
    """Users with services of their own: a list of names, or a hash."""
