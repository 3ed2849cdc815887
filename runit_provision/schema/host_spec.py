"""The keys of the host and of its users."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from runit_provision.schema.base import Spec
from runit_provision.schema.fields import Absolute, Comment, Flag, Line, Lines, Mode, Name, Nice, Number, Variables, refuse
from runit_provision.schema.json_kinds import ABSOLUTE, NAME, Forms, Kind
from runit_provision.schema.log_spec import LogValue
from runit_provision.schema.service_spec import SERVICES, LimitsSpec, ServiceSpec


class GroupSpec(Spec):
    """A group of the host."""

    gid: Number | None = None
    """Its number; default: the next that is free. Example: 4000"""
    system: Flag = False
    """Its number is one of the system's. Example: true"""


GROUPS = Forms("Groups", "Groups by name.", names=NAME)


class ManageSpec(Spec):
    """A login, made by apply where it is missing; a login is never removed, nor its number changed."""

    uid: Number | None = None
    """Its number; default: the next that is free. Another one on the host is an error: files would change hands. Example: 4711"""
    gid: Number | None = None
    """The number of its primary group, `group`, which is made where it is missing. Example: 4711"""
    shell: Absolute | None = None
    """Its login shell; default: /bin/sh, and what is there is left. Example: /bin/bash"""
    comment: Comment | None = None
    """Its full name. Example: Runs the application"""
    system: Flag = False
    """Its number is one of the system's. Example: true"""
    skeleton: Flag = True
    """A home that is made gets what lies in /etc/skel. Example: false"""
    home_mode: Mode = Field(default=0o755, json_schema_extra={"default": "0755"})
    """The mode of a home that is made. Example: '0750'"""


MANAGE = Forms("Manage", "Whether apply makes a user's login, and how; `true` is all defaults.", {"type": "boolean"})


def _manage(value: Any) -> Any:
    return {True: {}, False: None}[value] if isinstance(value, bool) else value


class UserSpec(Spec):
    """A user whose services the host supervises."""

    account: Line | None = None
    """The login whose credentials run the tree; default: the user's name. Example: apprun1"""
    home: Absolute | None = None
    """Home directory; default: the account's. Example: /home/apprun1"""
    basedir: Absolute | None = None
    """Directory that holds `service`, `runit` and `logs`; default: the home. Example: /srv/apprun1"""
    service_directory: Absolute | None = None
    """Directory that the user's runsvdir scans; default `~/service`. Example: /home/apprun1/.config/runit/default"""
    definitions: Absolute | None = None
    """Directory of the service directories; default `~/runit`. Example: /home/apprun1/.config/runit/sv"""
    logdir: Absolute | None = None
    """Directory of the log directories; default `~/logs`. One that lies outside of the home, or `basedir`, is made by root and given to
    the user. Example: /srv/logs/apprun1"""
    group: Line | None = None
    """The group that the tree runs as; default: the account's primary one. Example: apps"""
    groups: Lines = Field(default_factory=list)
    """Supplementary groups. Example: [audio, video]"""
    env: Variables = Field(default_factory=dict)
    """Environment of the whole tree. Example: {LANG: C.UTF-8}"""
    path: Line | None = None
    """PATH of the whole tree; default: the runtime's tools, `~/bin`, and the system's directories.
    Example: /opt/app/bin:/usr/bin:/bin"""
    limits: LimitsSpec = LimitsSpec()
    """Soft limits of the whole tree. Example: {processes: 200}"""
    nice: Nice = 0
    """Niceness that is added. Example: 5"""
    log: LogValue | None = None
    """The log of the user's runsvdir, in `~/logs/runsvdir`. Example: {keep: 5}"""
    title: Annotated[int, Field(ge=0, le=4000)] = 0
    """Bytes of the rolling process title that shows what was last written to standard error, and which no log then gets; 0 for none.
    Example: 400"""
    profile: Flag = True
    """Login shells of the user get SVDIR. Example: false"""
    ensure: Literal["running", "stopped", "absent", "any"] = "running"
    """The state of the whole tree. Example: stopped"""
    enabled: Flag = True
    """The tree starts at boot. Example: false"""
    manage: Annotated[ManageSpec | None, BeforeValidator(_manage), MANAGE] = None
    """The login is made where it is missing, with its `group`, `groups` and `home`; `true`, or a hash that says how.
    Example: true Example: {uid: 4711, shell: /bin/bash}"""
    purge: Flag = False
    """Services that are found in the user's service directory, and are not in the data, go. Example: true"""
    purge_logs: Flag = False
    """The logs of services that go, go with them; default: they stay. Example: true"""
    defaults: ServiceSpec | None = None
    """What the user's services have unless they say otherwise; `KEY: null` in one takes a default away. Example: {log: {keep: 5}}"""
    services: Annotated[dict[Name, ServiceSpec], SERVICES] = Field(default_factory=dict)
    """The user's services. Example: {worker: {command: [worker]}}"""


USERS = Forms(
    "Users",
    "Users with services of their own: a list of names, or a hash of them.",
    NAME.reference,
    {"type": "array", "items": NAME.reference, "uniqueItems": True},
    names=NAME,
    empty=True,
)


def _users(value: Any) -> Any:
    """A list of names is a hash by now."""
    if isinstance(value, list | str):
        raise refuse("has to be a list of names, or a hash by name", hint="write `NAME: {services: ...}` for each")
    return value


LEVELS = Forms("Levels", "Names of services, by the name of the run level.", names=NAME)
PROFILE = Kind("Profile", "A file, `true` for the usual one, `false` for none.", anyOf=[{"type": "boolean"}, ABSOLUTE.reference])


def _profile(value: Any) -> Any:
    return {True: "/etc/profile.d/runit-provision.sh", False: None}.get(value, value) if isinstance(value, bool) else value


class HostSpec(Spec):
    """All that a host is to be. Nothing in it is needed: `users: [NAME]` alone is a whole host."""

    runtime: Literal["shipped", "package", "package_file", "none"] | None = None
    """Which runit supervises: the `shipped` runtime (default), the distribution's `package`, a `package_file`, or `none` of ours.
    Example: package"""
    prefix: Absolute = "/usr/local"
    """Where the shipped runtime lies; its tools are in PREFIX/bin. Example: /opt/runit"""
    package_file: Line | None = None
    """File name of the distribution's runit, instead of the shipped runtime. Example: runit-2.1.1-6.el6.x86_64.rpm"""
    filestore: Line | None = None
    """Directory that `package_file` is found in. Example: puppet:///files"""
    workspace: Absolute | None = None
    """Directory that it is copied to and installed from. Example: /var/tmp"""
    owner: Line = "root"
    """The account that the host's tree belongs to. Example: root"""
    service_directory: Absolute = "/etc/service"
    """Directory that the host's runsvdir scans. Example: /etc/runit/service"""
    definitions: Absolute = "/etc/sv"
    """Directory of the service directories. Example: /etc/runit/sv"""
    levels: Annotated[dict[Name, list[Name]], LEVELS] = Field(default_factory=dict)
    """Run levels: for each the host's services that it has; a service that none names is in all of them.
    Example: {default: [web, db], failover: [sorry]}"""
    level: Name | None = None
    """The current run level; default: `default`. Example: failover"""
    levels_directory: Absolute = "/etc/runit/runsvdir"
    """Directory of the run levels, each a directory of links; `service_directory` leads to its `current`.
    Example: /etc/runit/runsvdir"""
    template_path: list[Line] = Field(default_factory=lambda: ["templates"])
    """Folders in which templates are found, the first that has one wins; relative to the folder of hiera.yaml, or of the data file;
    default: `templates`.
    One that is called as a shipped one (`run.sh.j2`) takes its place. Example: [/etc/runit-provision/templates]"""
    file_path: list[Line] = Field(default_factory=lambda: ["files"])
    """Folders in which a `source` is found, as with `template_path`; default: `files`. Example: [/srv/files]"""
    log_directory: Absolute = "/var/log/runit"
    """Directory of the log directories. Example: /var/log"""
    home: Absolute | None = None
    """Directory that holds the users' homes, each by the user's name; default: as the accounts say. Example: /home"""
    basedir: Absolute | None = None
    """Directory that holds a `basedir` for each user, by the user's name. Example: /srv"""
    logdir: Absolute | None = None
    """Directory that holds a `logdir` for each user, by the user's name; it is made. Example: /srv/logs"""
    profile: Annotated[Absolute | None, BeforeValidator(_profile), PROFILE] = "/etc/profile.d/runit-provision.sh"
    """The file in which login shells find SVDIR for the users; `false` writes none. Example: false"""
    groups: Annotated[dict[Name, GroupSpec], GROUPS] = Field(default_factory=dict)
    """Groups that are made where they are missing. Example: {media: {gid: 4000}}"""
    purge: Flag = False
    """Services that are found in `service_directory`, and are not in the data, go. Example: true"""
    purge_logs: Flag = False
    """The logs of services that go, go with them; default: they stay. Example: true"""
    defaults: ServiceSpec | None = None
    """What all services have unless they, or their user's `defaults`, say otherwise; `KEY: null` in one takes a default away.
    Example: {log: {size: 1m, keep: 10}}"""
    services: Annotated[dict[Name, ServiceSpec], SERVICES] = Field(default_factory=dict)
    """The host's services. Example: {cron: {command: [/usr/sbin/cron, -f]}}"""
    users: Annotated[dict[Name, UserSpec], BeforeValidator(_users), USERS] = Field(default_factory=dict)
    """Users with services of their own: a list of names, or a hash.
    Example: [apprun1, apprun2] Example: {apprun1: {limits: {files: 4096}}}"""
