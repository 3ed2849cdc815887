"""A puppetserver and its agents, each a host of its own, with a cable from each agent to the server."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import oracle, waiting
from .facts import few_facts
from .sandbox import Sandbox

_CODE = "/etc/puppet/code/environments/production"
# Longer keys, and a compiler that does its best, would cost a server that lives for three runs more than all of them.
_SERVER_CONF = """[main]
keylength = 2048
ssldir = /var/lib/puppet/ssl
[server]
certname = puppet
vardir = /var/lib/puppetserver
autosign = true
storeconfigs = false
"""
_JAVA = "-Xms256m -Xmx768m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djruby.logger.class=com.puppetlabs.jruby_utils.jruby.Slf4jLogger"
_JRUBY = "jruby-puppet: { max-active-instances: 1, compile-mode: off }\n"
# What the server answers to a request for a certificate has no length, so the agent reads until the connection ends, by this; an agent
# itself keeps none for longer than 4 seconds that it has no use for.
_IDLE = "webserver: { idle-timeout-milliseconds: 5000 }\n"
_LOG = "/var/log/puppetserver.out"
_FOLDERS = ("/var/lib/puppet", "/var/lib/puppetserver", "/var/log/puppetserver", "/var/cache/puppet", "/run/puppetserver")
_HIERARCHY = """version: 5
defaults: {datadir: data, data_hash: yaml_data}
hierarchy:
  - {name: node, path: "nodes/%{trusted.certname}.yaml"}
  - {name: role, path: "roles/%{facts.role}.yaml"}
  - {name: common, path: common.yaml}
"""


@dataclass(frozen=True)
class Fleet:
    """server: its host; agents: theirs, by certificate name."""

    server: Sandbox
    agents: Mapping[str, Sandbox]

    def data(self, path: str, text: str) -> None:
        """Write a file of the hierarchy's data."""
        self.server.write(f"{_CODE}/data/{path}", text)

    def run(self, *names: str) -> dict[str, subprocess.CompletedProcess[str]]:
        """Run these agents, all of them when none is named, at the same time; give what became of each."""
        names = names or tuple(self.agents)
        words = ("puppet", "agent", "--test", "--color=false", "--no-usecacheonfailure")
        with ThreadPoolExecutor(len(names)) as pool:
            done = {name: pool.submit(self.agents[name].run, *words, check=False) for name in names}
            return {name: each.result() for name, each in done.items()}


@contextmanager
def fleet(work: Path, module: Path, roles: Mapping[str, str], manifest: str, accounts: Sequence[str]) -> Iterator[Fleet]:
    """Start a server that has `module`, and a host for each agent; roles: the fact `role` by certificate name."""
    oracle.program("puppetserver", package="puppetserver")
    with ExitStack() as stack:
        server = stack.enter_context(_host(work / "server"))
        agents = {}
        for number, (name, role) in enumerate(roles.items(), start=1):
            agent = agents[name] = stack.enter_context(_host(work / name))
            _join(server, agent, number)
            agent.write("/etc/puppet/puppet.conf", f"[main]\nkeylength = 2048\nserver = puppet\ncertname = {name}\n")
            few_facts(agent)
            agent.write("/etc/facter/facts.d/role.txt", f"role={role}\n")
            agent.run("mkdir", "-p", "/var/lib/puppet", "/var/cache/puppet")
            for account, user in enumerate(accounts):
                agent.add_user(user, number=account)
        _serve(server, module, manifest)
        yield Fleet(server, agents)


def _host(work: Path) -> Sandbox:
    work.mkdir(mode=0o755)
    return Sandbox(work)


def _join(server: Sandbox, agent: Sandbox, number: int) -> None:
    """Put a cable between the two networks: the server is x.1, the agent x.2."""
    near, far = f"agent{number}", "eth0"
    outside = ["nsenter", "--net", "--target", server.pid, "--"]
    subprocess.run([*outside, "ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", agent.pid], check=True)
    for host, link, address in ((server, near, f"10.9.{number}.1"), (agent, far, f"10.9.{number}.2")):
        host.run("ip", "address", "add", f"{address}/24", "dev", link)
        host.run("ip", "link", "set", link, "up")
    agent.write("/etc/hosts", f"127.0.0.1 localhost\n10.9.{number}.1 puppet\n")


def _serve(server: Sandbox, module: Path, manifest: str) -> None:
    server.write("/etc/puppet/puppet.conf", _SERVER_CONF)
    server.write("/etc/hosts", "127.0.0.1 localhost puppet\n")
    server.write("/etc/default/puppetserver", Path("/etc/default/puppetserver").read_text() + f'\nJAVA_ARGS="{_JAVA}"\n')
    conf = Path("/etc/puppet/puppetserver/conf.d/puppetserver.conf").read_text()
    server.write("/etc/puppet/puppetserver/conf.d/puppetserver.conf", f"{conf}\n{_JRUBY}")
    server.write("/etc/puppet/puppetserver/conf.d/idle.conf", _IDLE)
    server.write(f"{_CODE}/hiera.yaml", _HIERARCHY)
    server.write(f"{_CODE}/manifests/site.pp", manifest)
    copied = server.work / "etc/puppet/code/environments/production/modules/runit"
    shutil.copytree(module, copied, ignore=shutil.ignore_patterns(".yardoc", "fixtures"))
    server.run("mkdir", "-p", *_FOLDERS, "/var/lib/puppet/ssl", "/var/lib/puppetserver/jruby-gems")
    server.run("chown", "-R", "puppet:puppet", *_FOLDERS, "/etc/puppet")
    started = server.start("sh", "-c", f"exec puppetserver foreground >{_LOG} 2>&1")

    def listens() -> bool:
        time.sleep(1)  # each question starts a program, of which the server would feel thousands
        assert started.poll() is None, server.read(_LOG)[-3000:]
        return server.run("sh", "-c", "ss -Hltn sport = :8140 | grep -q .", check=False).returncode == 0

    waiting.until(listens, deadline=400, what="a puppetserver that listens")
