"""What only a real shell, and a real process, can tell about the data."""

from __future__ import annotations

import os
import pwd
import resource
import subprocess
from pathlib import Path

import pytest
from support import oracle
from support.tour import account

from runit_provision.app.demands import ceilings
from runit_provision.app.desired import desire
from runit_provision.app.source import Source
from runit_provision.app.unmet import assumed, hard_limits, missing_programs, too_high
from runit_provision.errors import DataError
from runit_provision.host import accounts, shell
from runit_provision.inputs import Inputs
from runit_provision.model.answer import Ceiling, Demands
from runit_provision.model.observed import Life
from runit_provision.render.programs import called

ME = pwd.getpwuid(os.geteuid()).pw_name


def source(folder: Path, text: str) -> Source:
    file = folder / "data.yaml"
    file.write_text(text)
    return Source(data=file)


@pytest.mark.shows("refused", "a script with a shell syntax error", "seen")
def test_a_script_that_the_shell_cannot_read_is_refused_with_file_line_key_and_the_shells_line(tmp_path: Path) -> None:
    text = f"runit:\n  owner: {ME}\n  services:\n    a:\n      run: |\n        #!/bin/sh\n        if true; then\n          prog\n"
    with pytest.raises(DataError) as caught:
        desire(source(tmp_path, text + "    b: {command: 'prog && '}\n"), {ME: account(ME, str(tmp_path))})
    first, second = map(str, caught.value.problems)
    assert first.startswith(f"{tmp_path}/data.yaml:5:7: runit.services.a.run: the shell could not read it: line 4: ")
    assert second.startswith(f"{tmp_path}/data.yaml:9:9: runit.services.b.command: the shell could not read it: line 1: ")


@pytest.mark.parametrize("text", ["#!/usr/bin/python3\nif\n", "#!/opt/own/fish\nif\n", "#!/bin/sh\ncase $1 in a) ;; esac\n", "prog"])
def test_what_is_right_or_for_another_interpreter_is_left_alone(text: str) -> None:
    assert shell.complaint(text, Inputs()) == ""


def test_reading_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"touch {tmp_path}/sprung\n")
    monkeypatch.setenv("BASH_ENV", str(trap))
    monkeypatch.setenv("ENV", str(trap))
    assert shell.complaint(f"#!/bin/bash\ntouch {tmp_path}/run\n", Inputs()) == ""
    assert shell.complaint(f"#!/bin/sh\n: $(touch {tmp_path}/run)\n", Inputs()) == ""
    assert list(tmp_path.iterdir()) == [trap]


@pytest.mark.shows("refused", "a limit above the hard one", "seen")
def test_limits_are_held_against_the_supervisors_hard_ones(tmp_path: Path) -> None:
    """A daemon may lower its own, as the one here does: those count for nothing."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard != resource.RLIM_INFINITY
    services = f"    a: {{command: [a], limits: {{files: {hard + 1}}}}}\n    b: {{command: [b], limits: {{files: {hard}}}}}\n"
    asked = asked_by(tmp_path, f"runit:\n  owner: {ME}\n  services:\n{services}")
    with subprocess.Popen(["sh", "-c", "ulimit -n 64; exec sleep 1000"]) as daemon:
        try:
            running = (Life(supervised=True, running=True, want_up=True, pid=daemon.pid), Life())
            found = [str(problem) for problem in too_high(asked, hard_limits({"b": running}, alone=False))]
            forged = [str(problem) for problem in too_high(asked, hard_limits({"someone/b": running}, alone=False))]
        finally:
            daemon.kill()
    wrong = f"{hard + 1} is above the hard limit of {hard}, which the service would get instead"
    assert found == [
        f"{tmp_path}/data.yaml:4:32: runit.services.a.limits.files: {wrong}; raise the limit that the supervisor is started with "
        "(for a systemd unit LimitNOFILE= and its like), and start it anew"
    ]
    kernel = int(Path("/proc/sys/fs/nr_open").read_text())
    assert bool(forged) is (hard >= kernel), "what a user says of a process counts for nobody else"


def test_templates_of_ones_own_that_fail_are_told_at_once_with_their_places_and_a_service(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "run.sh.j2").write_text("#!/bin/sh\n\nexec {{ comand }}\n")
    (folder / "finish.sh.j2").write_text("{% if %}\n")
    text = (
        f"runit:\n  owner: {ME}\n  services:\n    a: {{command: [a]}}\n    b: {{command: [b], restart: never}}\n"
        "    c: {services: {d: {command: [d]}}}\n"
    )
    with pytest.raises(DataError) as caught:
        desire(source(tmp_path, text), {ME: account(ME, str(tmp_path))})
    assert [str(problem) for problem in caught.value.problems] == [
        f"{folder}/run.sh.j2:3:1: runit.services.a: the template does not render: 'comand' is undefined",
        f"{folder}/finish.sh.j2:1:1: runit.services.b: the template cannot be read: Expected an expression, "
        "got 'end of statement block'",
    ]


@pytest.mark.shows("refused", "a template that has no end, or takes all memory", "seen")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ 'x' * 10**10 }}", "needs more memory than one may have"),
        ("{{ '{:>9999999999}'.format(1) }}", "needs more memory than one may have"),
        (
            "{% for i in range(99999) %}{% for j in range(99999) %}{{ '-' * 999 }}{% endfor %}{% endfor %}",
            "gives more than 16 MB of text",
        ),
    ],
)
def test_a_template_that_has_no_end_or_takes_all_memory_is_an_error_as_any_other(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/own.j2").write_text(f"#!/bin/sh\n\n{text}\n")
    (tmp_path / "templates/log-run.sh.j2").write_text("\n{{ 'x' * 10**10 }}\n")
    before = resource.getrlimit(resource.RLIMIT_DATA)
    wrong, _ = refused(tmp_path, "{a: {run: {template: own.j2}}, b: {command: [x], unknown: 1}}")
    assert wrong == f"runit.services.a.run.template: {tmp_path}/templates/own.j2:3:1: the template does not render: it {said}"
    in_place_of_a_shipped_one = refused(tmp_path, "{a: {command: [x], log: svlogd}}")
    assert in_place_of_a_shipped_one == ["runit.services.a: the template does not render: it needs more memory than one may have"]
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_programs_that_scripts_call_and_the_host_lacks_are_told_with_the_key_that_asks_for_them(tmp_path: Path) -> None:
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "sh").symlink_to("/bin/busybox")  # a link within the image
    (bin_folder / "busybox").touch(mode=0o755)
    services = (
        '    a: {run: {content: "#!/opt/fish\\nprog\\n"}, check: {tcp: 80}}\n'
        '    b: {run: {content: "#!/bin/sh\\nexec prog\\n"}, finish: {run: "#!/usr/bin/env perl\\n"}}\n'
        "    c: {command: [c], finish: {mail: {on_failure: root}}}\n"
    )
    host = desire(source(tmp_path, f"runit:\n  owner: {ME}\n  services:\n{services}"), {ME: account(ME, str(tmp_path))}).host
    asked = Demands(called=tuple(called(host)))
    missing = [(problem.key, problem.message) for problem in missing_programs(asked, tmp_path)]
    said = "not found, which the script calls"
    assert missing == [
        ("runit.services.a.run", f"/opt/fish {said}"),
        ("runit.services.a.check", f"/usr/bin/python3 {said}"),
        ("runit.services.b.finish", f"/usr/bin/env {said}"),
        ("runit.services.b.finish", f"perl {said}"),
        ("runit.services.c.finish", f"mail {said}"),
    ]


def asked_by(folder: Path, text: str) -> tuple[Ceiling, ...]:
    """Give the limits that data ask for."""
    return tuple(ceilings(desire(source(folder, text), {ME: account(ME, str(folder))}).host))


def test_more_files_than_the_kernel_allows_are_refused_before_anything_runs(tmp_path: Path) -> None:
    asked = asked_by(tmp_path, f"runit:\n  owner: {ME}\n  services:\n    a: {{command: [a], limits: {{files: 99999999999}}}}\n")
    assert [problem.key for problem in too_high(asked, hard_limits({}, alone=False))] == ["runit.services.a.limits.files"]
    (warning,) = assumed(asked)
    assert "more than the 1048576 that Linux gives at most: it is assumed that the image has more" in str(warning)


def refused(folder: Path, services: str) -> list[str]:
    """Give what is said of `services` of the caller's, without the file's name and its line."""
    with pytest.raises(DataError) as caught:
        desire(source(folder, f"runit:\n  owner: {ME}\n  services: {services}\n"), accounts.read())
    return [str(problem).partition(": ")[2] for problem in caught.value.problems]


@pytest.mark.shows("refused", "lines that would take in what the script says next", "seen")
@pytest.mark.parametrize(
    ("service", "key"),
    [
        ('{command: [x], before: "echo a \\\\"}', "before"),
        ('{command: [x], before: "cat <<EOF\\nfoo"}', "before"),
        ('{command: [x], finish: {lines: "cat <<EOF\\nfoo", mail: {on_stop: root}}}', "finish.lines"),
        ('{command: "foo <<EOF"}', "command"),
    ],
)
def test_lines_that_would_take_in_what_the_script_says_next_are_refused(tmp_path: Path, service: str, key: str) -> None:
    said = "the shell could not read it: the last line does not end there: it would take in what follows"
    assert refused(tmp_path, f"{{a: {service}}}") == [f"runit.services.a.{key}: {said}"]


@pytest.mark.parametrize("command", ["if true", "fi", "for", "while true"])
def test_a_shells_own_words_are_no_program(tmp_path: Path, command: str) -> None:
    assert refused(tmp_path, f"{{a: {{command: {command}}}}}")[0].startswith("runit.services.a.command: the shell could not read it: ")


@pytest.mark.shows("refused", "a group that does not exist and is not managed", "seen")
def test_a_group_that_is_not_there_is_told_wherever_it_is_named(tmp_path: Path) -> None:
    oracle.root("services of other groups")
    data = "{a: {command: [x], group: no1, groups: [adm, no2], delegate: {group: no3}, files: {f: {content: x, group: no4}}}}"
    hint = "on this host; create the group first, or name it in `groups` of the host"
    where = {"no1": "group", "no2": "groups.1", "no3": "delegate.group", "no4": "files.f.group"}
    assert refused(tmp_path, data) == [f"runit.services.a.{key}: there is no group '{name}' {hint}" for name, key in where.items()]
    desire(source(tmp_path, f"runit: {{groups: {{no1: {{}}, no2: {{}}, no3: {{}}, no4: {{}}}}, services: {data}}}"), accounts.read())


@pytest.mark.shows("refused", "a template of one's own that gives no script that runs", "seen")
@pytest.mark.parametrize(
    ("text", "said"), [("#!/bin/sh\nif\nexec {{ command }}\n", "line 4: "), ("exec {{ command }}\n", "it has no shebang")]
)
def test_a_template_of_ones_own_in_a_shipped_ones_place_has_to_give_scripts_that_run(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/run.sh.j2").write_text(text)
    problem, *others = refused(tmp_path, "{a: {command: [x]}, b: {command: [x]}}")
    assert problem.startswith(f"runit.services.a.command: its `run`, with run.sh.j2 of your own, would not run: {said}")
    assert others == []


@pytest.mark.shows("refused", "a secret where others could read it", "seen")
def test_a_secret_in_a_file_that_everybody_may_read_and_one_in_other_text_are_refused(tmp_path: Path) -> None:
    levels = "hierarchy: [{name: all, path: all.yaml}]\ndefaults: {datadir: ., data_hash: yaml_data}\n"
    (tmp_path / "hiera.yaml").write_text(f"version: 5\n{levels}")
    alias = """content: "%{alias('pw')}", mode:"""
    (tmp_path / "all.yaml").write_text(
        f"lookup_options: {{pw: {{convert_to: Sensitive}}}}\npw: s3cret\nrunit:\n  owner: {ME}\n  services:\n"
        f"""    a: {{command: [x], files: {{f: {{{alias} "0644"}}, g: {{{alias} "0640"}}}}}}\n"""
        """    b: {command: "x %{lookup('pw')}"}\n"""
    )
    with pytest.raises(DataError) as caught:
        desire(Source(hiera_config=tmp_path / "hiera.yaml"), accounts.read())
    assert [str(problem).partition(": ")[2] for problem in caught.value.problems] == [
        "runit.services.a.files.f.mode: a secret may not stand here: everybody could read or change it with 0644; "
        "0600, or 0640 with a `group`",
        "runit.services.b.command: holds 'Sensitive [value redacted]', which a lookup puts into text for a secret; "
        "let the whole value be the secret: %{alias('key')}",
    ]
