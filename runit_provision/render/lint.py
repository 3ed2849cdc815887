"""What works against supervision though the data are right: a shell in between, a daemon that forks away, a log that gets nothing.

These are warnings. Whatever is not recognized for certain is left alone.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from runit_provision.errors import Problem
from runit_provision.model.host import Host
from runit_provision.model.process import Stream
from runit_provision.model.run import Argv, CommandLine, Script
from runit_provision.model.service import ExtraFile, Service
from runit_provision.model.tree import Ensure

_FOREGROUND: dict[str, tuple[str, ...]] = {
    "acpid": ("-f", "--foreground"),
    "apache2": ("-DFOREGROUND", "FOREGROUND", "-X"),
    "atd": ("-f",),
    "chronyd": ("-d", "-n"),
    "cron": ("-f",),
    "crond": ("-f", "-n"),
    "dhcpd": ("-f", "-d"),
    "dnsmasq": ("-k", "--keep-in-foreground", "-d", "--no-daemon"),
    "dovecot": ("-F",),
    "gpm": ("-D",),
    "httpd": ("-DFOREGROUND", "FOREGROUND", "-X", "-f"),
    "ifplugd": ("-n", "--no-daemon"),
    "in.tftpd": ("--foreground", "-L"),
    "inetd": ("-i", "-d"),
    "keepalived": ("-n", "--dont-fork"),
    "named": ("-f", "-g"),
    "nginx": ("daemon off",),
    "nscd": ("-F", "--foreground", "-d"),
    "ntpd": ("-n", "--nofork"),
    "php-fpm": ("-F", "--nodaemonize"),
    "rsyslogd": ("-n",),
    "smbd": ("-F", "--foreground"),
    "snmpd": ("-f",),
    "squid": ("-N",),
    "sshd": ("-D", "-d"),
    "syslog-ng": ("-F", "--foreground"),
    "udhcpc": ("-f", "--foreground"),
    "unbound": ("-d",),
    "varnishd": ("-F",),
    "vpnc": ("--no-detach",),
    "xinetd": ("-dontfork",),
}
"""Daemons that go to the background unless one of these is among their arguments; from their manual pages."""
_BACKGROUND: dict[str, tuple[str, ...]] = {
    "avahi-autoipd": ("-D", "--daemonize"),
    "haproxy": ("-D",),
    "memcached": ("-d",),
    "openvpn": ("--daemon",),
    "wpa_supplicant": ("-B",),
}
"""Daemons that go there when one of these is."""
_TO_STDERR: dict[str, tuple[str, ...]] = {"sshd": ("-e", "-d"), "named": ("-g",)}
"""Daemons that write to syslog alone unless one of these is among their arguments."""
_SHELL = re.compile(r"#! ?/(?:\S*/)?(?:env +)?(?:sh|dash|bash|ash)\b")
_NOT_A_PROGRAM = {
    *("exec", "exit", "return", "wait", "while", "until", "for", "if", "case", "fi", "done", "esac", "}", ")", "then", "else"),
    *("sv", ":", "true", "false", ".", "eval", "trap", "read", "sleep", "cd", "set", "echo"),
}
_AWAY = re.compile(r"(?<![0-9&>])1?>>?\s*(/\S+)")


def lint(host: Host) -> Iterator[Problem]:
    """Give a warning for each thing of each service."""
    for service in host.services():
        if service.ensure is not Ensure.ABSENT:
            yield from _service(service)


def _service(service: Service) -> Iterator[Problem]:
    match service.run:
        case Argv(words):
            yield from _daemon(service, words)
        case CommandLine(text):
            yield from _last(service, text, "command")
        case Script(text) if _SHELL.match(text):
            last = _last_line(text)
            yield from _missing_exec(service, text, last)
            yield from _last(service, last, "run")
        case _:
            pass
    if service.log is not None and Stream.OUTPUT in service.process.closed:
        yield _warning(service, "close", "standard output is closed: the log gets nothing of it")


def _last(service: Service, text: str, key: str) -> Iterator[Problem]:
    """Look at the line that a shell runs as the service."""
    if re.search(r"(?<![&>|])&\s*$", text):
        yield _warning(service, key, "goes to the background with `&`: what runs there is not supervised", "leave the `&` out")
    away = _AWAY.search(text)
    if (
        service.log is not None
        and away
        and "\n" not in text
        and away[1] not in ("/dev/stdout", "/dev/stderr", "/dev/fd/1", "/dev/fd/2")
    ):
        yield _warning(
            service, key, f"writes to {away[1]}: the log gets nothing of it", "leave the redirection out, or say `log: false`"
        )
    if not set(text) & set(";|&()`\n"):
        try:
            words = tuple(shlex.split(text))
        except ValueError:
            return
        yield from _daemon(service, words[1:] if words[:1] == ("exec",) else words, key)


def _daemon(service: Service, words: tuple[str, ...], key: str = "command") -> Iterator[Problem]:
    """Look for a daemon that is known, and at how it is called."""
    called = [word.rpartition("/")[2] for word in words]
    start = 1 if called[:1] == ["busybox"] else 0
    name, arguments = (called[start : start + 1] or [""])[0], words[start + 1 :]
    if name in _FOREGROUND and not _among(_FOREGROUND[name], arguments, service):
        options = " or ".join(_FOREGROUND[name])
        yield _warning(service, key, f"{name} forks to the background, where it is not supervised", f"give it {options}")
    if name in _BACKGROUND and _among(_BACKGROUND[name], arguments, service):
        options = " and ".join(_BACKGROUND[name])
        yield _warning(service, key, f"{name} forks to the background, where it is not supervised", f"leave {options} out")
    if name in _TO_STDERR and service.log is not None and not _among(_TO_STDERR[name], arguments, service):
        yield _warning(service, key, f"{name} writes to syslog: the log gets nothing of it", f"give it {_TO_STDERR[name][0]}")


def _among(options: tuple[str, ...], arguments: tuple[str, ...], service: Service) -> bool:
    """Tell whether one of `options` is given: as a word, in a cluster of letters, or in a file of the service directory."""
    for option in options:
        letter = option[1] if len(option) == 2 and option[0] == "-" else ""
        for word in arguments:
            if word == option or (" " in option and option in word):
                return True
            if letter and re.fullmatch(r"-[A-Za-z0-9]+", word) and letter in word:
                return True
        if " " in option and any(isinstance(file, ExtraFile) and option.encode() in file.content for file in service.files):
            return True
    return False


def _missing_exec(service: Service, text: str, last: str) -> Iterator[Problem]:
    """Warn of a script whose last line runs a program as the shell's child: then signals reach the shell alone."""
    word = (last.split() or [""])[0]
    function = re.search(rf"^\s*(?:function\s+)?{re.escape(word)}\s*\(\)", text, re.MULTILINE) if word else None
    program = bool(re.fullmatch(r"[A-Za-z0-9_./-]+", word)) and word not in _NOT_A_PROGRAM
    if not service.one_shot and program and not function and not set(last) & set("|;&()"):
        message = f"the last line runs {word} without `exec`: signals end the shell, and {word} lives on"
        yield _warning(service, "run", message, "write `exec` before it")


def _last_line(text: str) -> str:
    """Give the last line that is no comment, with those that it continues; "" when it may stand within something."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = [line for line in joined.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    return "" if not lines or lines[-1][:1].isspace() or "<<" in joined else lines[-1]


def _warning(service: Service, key: str, message: str, hint: str = "") -> Problem:
    origin = service.origin_of(key)
    return Problem(message, mark=origin.mark, key=origin.key, hint=hint)
