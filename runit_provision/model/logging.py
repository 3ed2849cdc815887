"""What becomes of a service's output: its log service; svlogd(8)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from runit_provision.model.account import Account
from runit_provision.model.process import Variable
from runit_provision.model.run import Script
from runit_provision.model.tree import Realm


class Timestamp(Enum):
    """What each line starts with, as the svlogd option that asks for it."""

    NONE = ""
    TAI64N = "-t"
    COMPACT = "-tt"
    ISO = "-ttt"


class Runner(Enum):
    """Who writes the log: a svlogd of its own, or the shipped rsvlog, which the runtime pools."""

    SVLOGD = "svlogd"
    RSVLOG = "rsvlog"


@dataclass(frozen=True, slots=True)
class Filter:
    """One ordered pattern of svlogd; `sign` is `-` or `+` (what is logged), `e` or `E` (what goes to standard error)."""

    sign: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Remote:
    """Lines also (or, with `only`, instead) go to `address` (a.b.c.d[:port]) by UDP."""

    address: str
    only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """svlogd's `config`: None leaves svlogd its own default.

    size: bytes of `current` (0 never rotates by size); keep, keep_min: old files; age: seconds.
    """

    size: int | None = None
    keep: int | None = None
    keep_min: int | None = None
    age: int | None = None
    processor: str | None = None
    remote: Remote | None = None
    prefix: str | None = None
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Logger:
    """A log written by svlogd or rsvlog into `directory` (absolute).

    realm: in whose hands the directory's contents lie. account: whom the logger becomes, None for the tree's owner. mode: of the
    directory. line_length, buffer: bytes.
    environment: what the processor sees; memory: bytes for `chpst -m`.
    """

    runner: Runner
    directory: str
    realm: Realm
    account: Account | None
    mode: int
    timestamp: Timestamp
    policy: Policy
    line_length: int | None = None
    buffer: int | None = None
    replace: str | None = None
    replace_also: str = ""
    memory: int | None = None
    environment: tuple[Variable, ...] = ()


Log = Logger | Script
