"""What works against supervision though the data are right: a shell in between, a daemon that forks away, a log that gets nothing.

These are warnings. Whatever is not recognized for certain is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runit_provision.errors import Problem
from runit_provision.model.host import Host
from runit_provision.model.logging import Logger
from runit_provision.model.process import Stream
from runit_provision.model.run import Argv, CommandLine, Script
from runit_provision.model.service import ExtraFile, Service
from runit_provision.model.tree import Ensure
from runit_provision.render.commands import needs_shell
from runit_provision.render.quoting import join
from runit_provision.render.shell_reading import Command, commands

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
    "mysqld": ("--daemonize", "-D"),
    "openvpn": ("--daemon",),
    "redis-server": ("--daemonize",),
    "wpa_supplicant": ("-B",),
}
"""Daemons that go there when one of these is."""
_LAUNCHERS: dict[str, str] = {
    "apache2ctl": "apache2 -DFOREGROUND",
    "daemon": "the program itself",
    "daemonize": "the program itself",
    "pg_ctl": "postgres itself",
    "runuser": "`user`",
    "start-stop-daemon": "the program itself, and `user`",
    "su": "`user`",
    "sudo": "`user`",
}
"""Programs that start another and leave it, or stay between it and its signals; and what says the same."""
_TO_STDERR: dict[str, tuple[str, ...]] = {"sshd": ("-e", "-d"), "named": ("-g",)}
"""Daemons that write to syslog alone unless one of these is among their arguments."""
_SHELLS = ("sh", "dash", "bash", "ash")
_SHELL = re.compile(rf"#! ?/(?:\S*/)?(?:env +)?(?:{'|'.join(_SHELLS)})\b")
_NOT_A_PROGRAM = {
    *(
        "exec",
        "exit",
        "return",
        "wait",
        "sv",
        ":",
        "[",
        "test",
        "true",
        "false",
        ".",
        "eval",
        "trap",
        "read",
        "sleep",
        "cd",
        "set",
        "echo",
    ),
    *("printf", "export", "kill", "unset", "shift", "umask", "ulimit", "command"),
}
"""What may end a script without `exec`: the shell's own words, and what is soon done."""
_INSTANCE = re.compile(r"\$\{?INSTANCE\b")
_THE_LOG = ("", "/dev/stdout", "/dev/stderr", "/dev/fd/1", "/dev/fd/2")


def lint(host: Host) -> Iterator[Problem]:
    """Give a warning for each thing of each service."""
    stopped = {service.id for service in host.services() if service.ensure is Ensure.STOPPED}
    for service in host.services():
        if service.ensure is not Ensure.ABSENT:
            yield from _service(service)
            for name in service.requirements.ids if service.requirements and service.ensure is Ensure.RUNNING else ():
                if name in stopped:
                    yield _warning(service, "requires", f"requires {name}, which is to be stopped: it never starts")


def _service(service: Service) -> Iterator[Problem]:
    yield from _before(service)
    yield from _literal_instance(service)
    match service.run:
        case Argv((shell, flag, text, *_)) if shell.rpartition("/")[2] in _SHELLS and re.fullmatch(r"-[a-z]*c", flag):
            yield from _script(service, f"{service.before}\n{text}", "command", shell=True)
        case Argv(words):
            yield from _script(service, f"{service.before}\n{join(words)}", "command", shell=False)
        case CommandLine(text):
            yield from _script(service, f"{service.before}\n{text}", "command", shell=needs_shell(text))
        case Script(text) if _SHELL.match(text):
            yield from _script(service, text, "run", shell=True)
        case _:
            pass
    if service.log is not None and Stream.OUTPUT in service.process.closed:
        yield _warning(service, "close", "standard output is closed: the log gets nothing of it")


def _literal_instance(service: Service) -> Iterator[Problem]:
    """Look for an instance's name where no shell puts it in."""
    process = service.process
    if not any(variable.name == "INSTANCE" and variable.in_script for variable in process.environment):
        return
    words = {
        "command": service.run.words if isinstance(service.run, Argv) and not _called_shell(service.run.words) else (),
        "lock": (process.lock.path,) if process.lock else (),
        "directory": (process.directory or "",),
        "argv0": (process.argv0 or "",),
        "log": (service.log.directory,) if isinstance(service.log, Logger) else (),
    }
    for key, texts in words.items():
        if any(_INSTANCE.search(text) for text in texts):
            message = "holds $INSTANCE as it stands: no shell reads it"
            yield _warning(service, key, message, "write a line instead of a list" if key == "command" else "do it in `before`")


def _called_shell(words: tuple[str, ...]) -> bool:
    return words[0].rpartition("/")[2] in _SHELLS


def _before(service: Service) -> Iterator[Problem]:
    """Look for what keeps the command from ever being run."""
    for command in commands(service.before):
        certain = not command.joined and command.ended not in ("&", "|")
        if certain and (command.name == "exit" or (command.name == "exec" and len(command.words) > 1)):
            message = f"`{' '.join(command.words)}` ends what it stands in: the command never runs"
            yield _warning(service, "before", message, "leave it out")


def _script(service: Service, text: str, key: str, *, shell: bool) -> Iterator[Problem]:
    """Look at what runs as the service. shell: a shell reads it, and stays unless it is told `exec`."""
    found = commands(text)
    if not found:
        return
    last = found[-1]
    words = last.words[1:] if last.name == "exec" else last.words
    piped = last.joined == "|" or (len(found) > 1 and found[-2].ended == "|")
    if last.ended == "&":
        yield _warning(service, key, "goes to the background with `&`: what runs there is not supervised", "leave the `&` out")
    elif shell and last.name == "wait" and _leaves_its_own(found):
        message = "waits for what it put into the background: signals end the shell, and that lives on"
        yield _warning(service, key, message, "run it with `exec`, or end it in a `trap`")
    elif shell and piped and not service.one_shot:
        message = "ends in a pipe: signals end the shell that waits for it, and its programs live on"
        yield _warning(service, key, message, "leave the pipe out; `log` has filters and a processor")
    elif shell and words and last.name != "exec" and not service.one_shot and _is_program(last.name, text):
        message = f"runs {last.name} without `exec`: signals end the shell, and {last.name} lives on"
        yield _warning(service, key, message, "write `exec` before it")
    away = _away(found)
    if service.log is not None and away is not None:
        yield _warning(service, key, f"writes to {away}: the log gets nothing of it", "leave the redirection out, or say `log: false`")
    if words and not piped:
        yield from _daemon(service, words, key)


def _leaves_its_own(found: tuple[Command, ...]) -> bool:
    return any(command.ended == "&" for command in found) and not any(command.name == "trap" for command in found)


def _is_program(name: str, text: str) -> bool:
    function = re.search(rf"^\s*(?:function\s+)?{re.escape(name)}\s*\(\)", text, re.MULTILINE)
    return bool(re.fullmatch(r"[A-Za-z0-9_./-]+", name)) and name not in _NOT_A_PROGRAM and not function


def _away(found: tuple[Command, ...]) -> str | None:
    """Give the file that the last command's output goes to, by itself or by an `exec` before it; None for the log."""
    output: str | None = None
    for command in found:
        if command.words == ("exec",) and not command.joined and command.output is not None:
            output = command.output
    output = output if found[-1].output is None else found[-1].output
    return None if output in (None, *_THE_LOG) else output


def _daemon(service: Service, words: tuple[str, ...], key: str) -> Iterator[Problem]:
    """Look for a daemon that is known, and at how it is called."""
    called = [word.rpartition("/")[2] for word in words]
    start = 1 if called[:1] == ["busybox"] else 0
    name, arguments = (called[start : start + 1] or [""])[0], words[start + 1 :]
    if name in _LAUNCHERS and not service.one_shot:
        message = f"{name} starts it and leaves it, or stands between it and its signals"
        yield _warning(service, key, message, f"take {_LAUNCHERS[name]} instead")
    if start and name == "httpd":
        if not _among(("-f",), arguments, service):
            yield _warning(service, key, "httpd forks to the background, where it is not supervised", "give it -f")
    elif name in _FOREGROUND and not _among(_FOREGROUND[name], arguments, service):
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


def _warning(service: Service, key: str, message: str, hint: str = "") -> Problem:
    origin = service.origin_of(key)
    return Problem(message, mark=origin.mark, key=origin.key, hint=hint)
