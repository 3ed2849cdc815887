"""A control repository as sites have it: node, role, operating system, mapped paths, modules. Every key agrees, and the command too."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conformance.hiera.case import Case
from conformance.hiera.puppet import Puppet, ask_ours, same
from support import oracle

_FACTS: dict[str, Any] = {
    "os": {"name": "Debian", "family": "Debian", "release": {"major": "12"}},
    "role": "appserver",
    "datacenter": "fra1",
    "products": ["billing", "search"],
    "networking": {"ip": "10.0.0.7"},
    "clientcert": "app1.example.net",
    "hostname": "app1",
    "fqdn": "app1.example.net",
    "domain": "example.net",
}
_FILES = {
    "hiera.yaml": """\
---
version: 5
defaults:
  datadir: "data"
  data_hash: yaml_data
hierarchy:
  - name: "Per-node data"
    path: "nodes/%{trusted.certname}.yaml"
  - name: "Per-role data"
    path: "roles/%{facts.role}.yaml"
  - name: "Products"
    mapped_paths: [products, product, "products/%{product}.yaml"]
  - name: "Per-OS defaults"
    paths:
      - "os/%{facts.os.name}-%{facts.os.release.major}.yaml"
      - "os/%{facts.os.family}.yaml"
  - name: "Secrets and others"
    globs: ["common.d/*.yaml", "common.yaml"]
  - name: "Inventory"
    data_hash: json_data
    datadir: inventory
    path: "%{facts.datacenter}.json"
""",
    "data/nodes/app1.example.net.yaml": """\
profile::app::workers: 8
profile::base::packages: [strace, --telnet]
profile::app::config:
  listen: "%{facts.networking.ip}:8080"
  log: {level: debug}
""",
    "data/roles/appserver.yaml": """\
classes: [profile::app]
profile::app::config:
  log: {level: info, file: "/var/log/%{facts.role}.log"}
  backends: "%{alias('inventory.backends')}"
""",
    "data/products/billing.yaml": "products::units: {billing: {port: 9001}}\nclasses: [profile::billing]\n",
    "data/products/search.yaml": "products::units: {search: {port: 9002}}\nclasses: [profile::search, profile::app]\n",
    "data/os/Debian-12.yaml": "profile::base::release: bookworm\n",
    "data/os/Debian.yaml": "profile::base::packages: [apt-utils]\nprofile::base::release: debian\n",
    "data/common.d/10-limits.yaml": "limits: &limits {nofile: 0x400, nproc: 1_024}\nlimits::app: {<<: *limits, core: 0}\n",
    "data/common.d/9-limits.yaml": "limits: {nofile: 1}\n",
    "data/common.yaml": """\
lookup_options:
  classes: {merge: unique}
  '^products::': {merge: hash}
  '^profile::.*::(packages|config)$':
    merge: {strategy: deep, knockout_prefix: '--', sort_merged_arrays: true}
  profile::app::password: {convert_to: Sensitive}
  profile::app::workers: {convert_to: String}
classes: [profile::base]
profile::base::packages: [telnet, vim]
profile::app::password: "%{lookup('inventory.token')}"
profile::app::config: {listen: "*:80", umask: 0022}
ntp::servers: ["ntp.%{facts.datacenter}.example.net"]
""",
    "data/inventory/fra1.json": "{}",
    "inventory/fra1.json": '{"inventory": {"backends": ["b1", "b2"], "token": "t-%{facts.datacenter}"}, "rack": 7} // from the CMDB\n',
    "modules/ntp/hiera.yaml": """\
version: 5
hierarchy:
  - {name: os, path: "%{facts.os.family}.yaml"}
  - {name: common, path: common.yaml}
default_hierarchy:
  - {name: defaults, path: defaults.yaml}
""",
    "modules/ntp/data/Debian.yaml": "ntp::package: ntpsec\n",
    "modules/ntp/data/common.yaml": "ntp::package: ntp\nlookup_options: {ntp::servers: {merge: unique}}\nntp::servers: [pool.ntp.org]",
    "modules/ntp/data/defaults.yaml": "ntp::driftfile: /var/lib/ntp/drift\n",
}
_KEYS = (
    *("classes", "limits", "limits::app", "inventory.backends.1", "rack", "nosuch", "products::units", "products::units.search.port"),
    *("profile::app::config", "profile::app::config.log.file", "profile::app::password", "profile::app::workers"),
    *("profile::base::packages", "profile::base::release", "ntp::servers", "ntp::package", "ntp::driftfile", "ntp::nosuch"),
)


def _case(*, strict: bool) -> Case:
    return Case(_FILES, tuple({"key": key} for key in _KEYS), strict, facts=_FACTS, node="app1.example.net")


@pytest.mark.parametrize("strict", [True, False])
def test_every_key_has_puppets_value(strict: bool, puppet: Puppet, tmp_path: Path) -> None:
    question = _case(strict=strict).lay(tmp_path)
    answers = dict(zip(_KEYS, zip(puppet.ask(question), ask_ours(question), strict=True), strict=True))
    assert {key: answer for key, answer in answers.items() if not same(*answer)} == {}
    assert answers["classes"][1] == [
        "found",
        ["list", [["str", f"profile::{name}"] for name in ("app", "billing", "search", "base")]],
    ]
    assert answers["ntp::driftfile"][1] == ["found", ["str", "/var/lib/ntp/drift"]]
    assert answers["profile::app::password"][1] == ["found", ["sensitive", ["str", "t-fra1"]]]


def test_the_first_folder_of_a_modules_name_is_the_module_also_without_data(puppet: Puppet, tmp_path: Path) -> None:
    question = _case(strict=True).lay(tmp_path)
    (tmp_path / "site/ntp").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    found = {}
    for first in ("empty", "site", "missing"):
        asked = {**question, "modulepath": [str(tmp_path / first), str(tmp_path / "modules")], "queries": [{"key": "ntp::package"}]}
        theirs, ours = puppet.ask(asked), ask_ours(asked)
        assert same(*theirs, *ours)
        found[first] = ours[0][0]
    assert found == {"empty": "found", "site": "missing", "missing": "found"}


def test_the_process_that_we_ask_says_what_the_command_says(puppet: Puppet, tmp_path: Path) -> None:
    question = _case(strict=False).lay(tmp_path)
    (tmp_path / "facts.json").write_text(json.dumps(_FACTS))
    own = [f"--{name}={tmp_path / 'own'}" for name in ("confdir", "vardir", "codedir")]
    key = "profile::app::config"
    command = ["lookup", *own, f"--hiera_config={tmp_path}/hiera.yaml", f"--modulepath={tmp_path}/modules", "--node=app1.example.net"]
    ran = subprocess.run(
        [oracle.program("puppet", package="puppet-agent"), *command, f"--facts={tmp_path}/facts.json", "--render-as=json", key],
        capture_output=True,
        text=True,
        check=True,
    )
    said = puppet.ask({**question, "queries": [{"key": key}]})[0]
    assert _as_plain(said[1]) == json.loads(ran.stdout)
    assert list(json.loads(ran.stdout)) == list(_as_plain(said[1]))


def _as_plain(encoded: list[Any]) -> Any:
    """Give the plain value of an encoded one."""
    match encoded:
        case ["hash", pairs]:
            return {_as_plain(key): _as_plain(item) for key, item in pairs}
        case ["list", items]:
            return [_as_plain(item) for item in items]
        case ["int", text]:
            return int(text)
        case ["null"]:
            return None
        case [_, value]:
            return value
        case _:
            raise AssertionError(encoded)
