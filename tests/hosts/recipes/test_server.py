"""The examples' server: small daemons, sv's letters, svlogd's every directive, mail of failures; as root on a host of its own."""

from __future__ import annotations

import shlex

import pytest

from .conftest import World


@pytest.mark.shows("recipes", "my_daemon", "seen")
def test_a_daemon_runs_as_nobody_and_logs_with_timestamps(server: World) -> None:
    server.running("my_daemon")
    line = server.logged("my_daemon", "started as nobody")
    assert line[4] == "-"
    assert line.endswith(" started as nobody")


@pytest.mark.shows("recipes", "my_daemon", "seen")
@pytest.mark.parametrize(
    ("command", "signal"),
    [("hup", "HUP"), ("interrupt", "INT"), ("alarm", "ALRM"), ("quit", "QUIT"), ("1", "USR1"), ("2", "USR2"), ("term", "TERM")],
)
def test_each_letter_arrives_as_its_signal(server: World, command: str, signal: str) -> None:
    server.running("my_daemon")
    server.logged("my_daemon", "started as")
    server.letter(command, "my_daemon", f"got {signal}")


@pytest.mark.shows("recipes", "my_daemon", "seen")
def test_down_with_v_waits_until_it_is_down_and_start_until_it_runs(server: World) -> None:
    server.running("my_daemon")
    assert server.sh("sv -v down my_daemon").startswith("ok: down: my_daemon: ")
    assert server.sh("sv state my_daemon").startswith("down: my_daemon: ")
    assert server.sh("sv -v stop my_daemon").startswith("ok: down: my_daemon: ")
    assert server.sh("sv start my_daemon").startswith("ok: run: my_daemon: (pid ")


@pytest.mark.shows("recipes", "sshd", "seen")
def test_sshd_answers_and_a_reload_by_hup_keeps_its_connections_and_its_pid(server: World) -> None:
    pid = server.running("sshd")
    server.until("sv -w 20 check sshd")
    own = server.sh("cut -d ' ' -f 1,2 /etc/sv/sshd/ssh_host_ed25519_key.pub")
    assert server.sh("ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null | cut -d ' ' -f 2,3") == own, "the key that lies beside run"
    server.until("echo | busybox nc -w 2 127.0.0.1 22 | grep -a '^SSH-2.0'")
    server.sh("(sleep 1000 | busybox nc 127.0.0.1 22 >/var/ssh.said; echo ended >>/var/ssh.said) >/dev/null 2>&1 </dev/null &")
    server.until("grep -a SSH-2.0 /var/ssh.said")
    server.letter("hup", "sshd", "Received SIGHUP")
    server.until("echo | busybox nc -w 2 127.0.0.1 22 | grep -a '^SSH-2.0'")
    assert server.running("sshd") == pid
    assert "ended" not in server.sh("cat /var/ssh.said")


@pytest.mark.shows("recipes", "cron, unscd", "seen")
def test_cron_stays_in_the_foreground_and_runs_what_its_tables_say(server: World) -> None:
    pid = server.running("cron")
    assert server.sh(f"cat /proc/{pid}/comm") == "cron\n"
    assert server.until("cat /var/cron.ran") == "cron ran this"


@pytest.mark.shows("recipes", "cron, unscd", "seen")
def test_unscd_answers_and_only_what_it_was_asked_is_logged(server: World) -> None:
    server.running("unscd")
    assert server.sh("sv -w 20 check unscd").startswith("ok: run: unscd: ")
    assert server.sh("getent passwd nobody").startswith("nobody:")
    assert server.logged("unscd", "(GETPWBYNAME) key_len:7 'nobody'")
    assert server.sh("grep -v ' version:' /var/log/runit/unscd/current", check=False) == ""


@pytest.mark.shows("recipes", "sshd", "seen")
def test_a_failure_and_a_meant_stop_are_told_from_each_other_by_mail(server: World) -> None:
    server.running("sshd")
    server.until("sv -w 20 check sshd")
    server.sh("sv kill sshd")
    failure = server.until("grep -q 'exit code' /var/mail/admins && cat /var/mail/admins")
    assert "To: admins@example.com" in failure
    assert "Subject: sshd failed" in failure
    assert "exit code -1, status 9" in failure
    assert server.sh("ls /var/mail") == "admins\n", "a failure is not mailed as a stop"
    server.until("sv -w 20 check sshd")
    server.sh("sv -v down sshd")
    stop = server.until("grep -q 'exit code' /var/mail/auditing && cat /var/mail/auditing")
    assert "To: auditing@example.com" in stop
    assert "Subject: sshd was stopped" in stop
    assert server.sh("grep -c '^From ' /var/mail/admins") == "1\n", "a stop is not mailed as a failure"
    server.sh("sv up sshd")


@pytest.mark.shows("recipes", "joeuser, kburdis, peter", "seen")
def test_a_user_of_whom_no_more_is_said_has_a_tree_with_a_log_of_its_own(server: World) -> None:
    tree = server.running("runsvdir-kburdis")
    assert server.sh(f"stat -c %U /proc/{tree}") == "kburdis\n"
    assert server.sh(f"tr '\\0' ' ' </proc/{tree}/cmdline").startswith("runsvdir -P /home/kburdis/service ")
    run = "mkdir -p runit/loud && printf '#!/bin/sh\necho alas >&2\nexec sleep 1000\n' >runit/loud/run && chmod +x runit/loud/run"
    server.sh(f"{run} && ln -s ../runit/loud service/", user="kburdis")
    server.until("grep -h alas /home/kburdis/logs/runsvdir/current")


@pytest.mark.shows("recipes", "joeuser, kburdis, peter", "seen")
def test_joes_services_run_as_him_with_his_environment_and_his_programs(server: World) -> None:
    who = 'echo "$(id -un) $HOME $USER $(command -v mine)" >&2\nexec mine 1000\n'
    server.sh("mkdir -p bin runit/who && ln -s /bin/sleep bin/mine", user="joeuser")
    server.sh(f"printf '#!/bin/sh\\n%s' {shlex.quote(who)} >runit/who/run && chmod +x runit/who/run", user="joeuser")
    server.sh("ln -s ../runit/who service/", user="joeuser")
    pid = server.running("who", user="joeuser")
    assert server.until(f"cat /proc/{pid}/comm | grep mine") == "mine"
    assert server.sh(f"stat -c %U /proc/{pid}") == "joeuser\n"
    tree = server.running("runsvdir-joeuser")
    server.until(f"grep -a 'joeuser /home/joeuser joeuser /home/joeuser/bin/mine' /proc/{tree}/cmdline")


@pytest.mark.shows("recipes", "joeuser, kburdis, peter", "seen")
def test_the_last_words_of_a_users_tree_stand_in_its_title(server: World) -> None:
    pid = server.running("runsvdir-joeuser")
    server.until(f"grep -a 'log:\\.\\.\\.' /proc/{pid}/cmdline")
    server.sh(
        "mkdir -p runit/loud && printf '#!/bin/sh\\necho alas >&2\\nexec sleep 1000\\n' >runit/loud/run && chmod +x runit/loud/run",
        user="joeuser",
    )
    server.sh("ln -s ../runit/loud service/", user="joeuser")
    server.running("loud", user="joeuser")
    server.until(f"grep -a alas /proc/{pid}/cmdline")
