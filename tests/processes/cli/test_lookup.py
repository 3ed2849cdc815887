"""`runit-provision lookup` as a person calls it: values, the whole search, and errors that say where and what to do."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support import oracle
from support.command import Result, runit_provision

from runit_provision.app.layers import Layers
from runit_provision.inputs import Inputs

Lookup = Callable[..., Result]
_CONFIG = """\
version: 5
hierarchy:
  - {name: node, path: "nodes/%{trusted.certname}.yaml"}
  - {name: family, path: "%{facts.os.family}.yaml"}
  - {name: common, path: common.yaml}
"""
_COMMON = """\
lookup_options:
  password: {convert_to: Sensitive}
  joined: {merge: unique}
packages: [vim, telnet]
joined: [vim]
limits: {nofile: 1024, odd: "1,000"}
password: s3cret
greeting: "hello %{nme}"
shell: "%{lookup('password')}"
"""


@pytest.fixture
def lookup(tmp_path: Path) -> Lookup:
    """The command in a folder that has a hierarchy, asked as the node `n1` of Debian."""
    (tmp_path / "hiera.yaml").write_text(_CONFIG)
    (tmp_path / "data/nodes").mkdir(parents=True)
    (tmp_path / "data/nodes/n1.yaml").write_text("packages: [strace, --telnet]\njoined: [strace]\n")
    (tmp_path / "data/Debian.yaml").write_text("family: from the family\n")
    (tmp_path / "data/common.yaml").write_text(_COMMON)
    given = ("--hiera-config", "hiera.yaml", "--node", "n1", "--fact", "os.family=Debian", "--fact", "hostname=x")
    return lambda *words: runit_provision("lookup", *words, *given, cwd=tmp_path)


def test_the_first_key_that_is_found_is_shown(lookup: Lookup) -> None:
    assert lookup("nosuch", "family", "packages") == Result(0, "from the family\n", "")
    assert lookup("limits.nofile") == Result(0, "1024\n", "")


def test_a_value_is_yaml_that_puppet_reads_as_the_same_or_json(lookup: Lookup) -> None:
    assert lookup("limits").out == "nofile: 1024\nodd: '1,000'\n"
    assert lookup("limits", "--format", "json").out == '{\n  "nofile": 1024,\n  "odd": "1,000"\n}\n'


def test_levels_are_merged_as_lookup_options_or_the_caller_say(lookup: Lookup) -> None:
    shown = {
        words: json.loads(lookup(*words, "--format", "json").out)
        for words in [
            ("joined",),
            ("joined", "--merge", "first"),
            ("packages", "--merge", "deep"),
            ("packages", "--merge", "deep", "--knock-out-prefix", "--", "--sort-merged-arrays"),
        ]
    }
    assert list(shown.values()) == [["strace", "vim"], ["strace"], ["vim", "telnet", "strace", "--telnet"], ["strace", "vim"]]
    refused = lookup("packages", "--merge", "hash", "--sort-merged-arrays")
    assert (refused.status, refused.out) == (64, "")
    assert "need --merge deep" in refused.err


def test_lookup_options_themselves_cannot_be_looked_up(lookup: Lookup) -> None:
    for key in ("lookup_options", "lookup_options.joined"):
        refused = lookup(key)
        assert (refused.status, refused.out) == (1, "")
        assert refused.err.startswith(f"{key}: hiera.yaml: cannot be looked up; ")
    assert lookup("lookup_options", "family").out == "from the family\n"


def test_a_default_stands_in_for_what_is_nowhere(lookup: Lookup) -> None:
    assert lookup("nosuch", "--default", "x: 1") == Result(0, "'x: 1'\n", "")
    assert lookup("family", "--default", "x") == Result(0, "from the family\n", "")


def test_a_type_is_demanded_of_values_and_defaults(lookup: Lookup) -> None:
    assert lookup("limits.nofile", "--type", "Integer[1, 2000]").status == 0
    assert lookup("packages", "--type", "Array[Integer]").err == (
        "data/nodes/n1.yaml:1:12: packages.0: it is a String, and no Integer\n1 problem\n"
    )
    assert lookup("nosuch", "limits", "--type", "Hash[String, Integer]").err == (
        "data/common.yaml:6:24: limits.odd: it is a String, and no Integer\n1 problem\n"
    )
    assert lookup("nosuch", "--default", "5", "--type", "Integer").status == 1
    wrong = lookup("packages", "--type", "Aray[String]")
    assert (wrong.status, wrong.out) == (1, "")
    assert "Aray" in wrong.err


def test_secrets_are_shown_only_when_asked_for(lookup: Lookup) -> None:
    for words in (("password",), ("shell",), ("password", "--format", "json"), ("password", "--explain"), ("shell", "--explain")):
        hidden = lookup(*words)
        assert hidden.status == 0
        assert "s3cret" not in hidden.out + hidden.err
        assert "redacted" in hidden.out
    assert lookup("password", "--show-secrets").out == "s3cret\n"
    assert "s3cret" in lookup("password", "--explain", "--show-secrets").out


def test_explain_shows_each_level_with_its_file_and_what_came_of_it(lookup: Lookup) -> None:
    assert lookup("joined", "--explain").out.partition('Searching for "joined"')[2] == (
        "\n"
        '  lookup_options "joined" (data/common.yaml:3:3): {"merge": "unique"}\n'
        "  Merge strategy unique\n"
        "    Global layer hiera.yaml\n"
        "      Merge strategy unique\n"
        '        Level "node" (hiera.yaml:3:5)\n'
        "          File data/nodes/n1.yaml (from nodes/%{trusted.certname}.yaml)\n"
        '            Found joined (data/nodes/n1.yaml:2:1): ["strace"]\n'
        '        Level "family" (hiera.yaml:4:5)\n'
        "          File data/Debian.yaml (from %{facts.os.family}.yaml)\n"
        "            No such key: joined\n"
        '        Level "common" (hiera.yaml:5:5)\n'
        "          File data/common.yaml (from common.yaml)\n"
        '            Found joined (data/common.yaml:5:1): ["vim"]\n'
        '        Merged from 2 values: ["strace", "vim"]\n'
        "          0 from data/nodes/n1.yaml:2:10\n"
        "          1 from data/common.yaml:5:10\n"
        'Result: ["strace", "vim"]\n'
    )


def test_explain_shows_the_default_and_the_type_that_is_demanded(lookup: Lookup) -> None:
    shown = lookup("nosuch", "--default", "5", "--type", "String", "--explain")
    assert shown.out.endswith('Result: nothing was found for nosuch\nUsing the default: "5"\nType that is demanded: String\n')
    refused = lookup("nosuch", "--default", "5", "--type", "Integer", "--explain")
    assert refused.status == 1
    assert refused.out.endswith(
        "Type that is demanded: Integer\nError: nosuch: it is a String, and no Integer; the default is a String\n"
    )


@pytest.mark.parametrize("option", ["--default", "--type", "--environment", "--knock-out-prefix", "--node", "KEY"])
def test_text_that_is_no_utf8_is_a_usage_error(option: str, tmp_path: Path) -> None:
    (tmp_path / "hiera.yaml").write_text(_CONFIG)
    broken = os.fsdecode(b"x\xff")
    words = [broken] if option == "KEY" else ["nosuch", option, broken]
    refused = runit_provision("lookup", *words, "--hiera-config", "hiera.yaml", cwd=tmp_path)
    assert (refused.status, refused.out) == (64, "")
    assert "'x\\udcff' is not UTF-8" in refused.err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["os=x", "os.name=y"], "fact os.name: `os` is no hash, so that it cannot have parts; give `os` by its parts alone"),
        (["kernel.a=x", "kernel=y"], "fact kernel: it would take `kernel.a` away; give the part after the whole"),
        (["a.b:=[1]", "a.b.c=y"], "fact a.b.c: `a.b` is no hash, so that it cannot have parts; give `a.b` by its parts alone"),
    ],
)
def test_facts_that_take_each_other_away_are_an_error(given: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "hiera.yaml").write_text("version: 5\n")
    words = [word for fact in given for word in ("--fact", fact)]
    refused = runit_provision("lookup", "a", "--hiera-config", "hiera.yaml", *words, cwd=tmp_path)
    assert refused == Result(1, "", f"{said}\n1 problem\n")


def test_explain_fails_as_the_lookup_does(lookup: Lookup) -> None:
    nowhere, wrong = lookup("nosuch", "--explain"), lookup("greeting", "--explain")
    assert (nowhere.status, wrong.status) == (1, 1)
    assert nowhere.out.endswith("Result: nothing was found for nosuch\n")
    assert wrong.out.splitlines()[-1].startswith("Error: data/common.yaml:8:1: greeting: undefined variable `nme`; ")
    assert wrong.err == lookup("greeting").err


def test_what_is_nowhere_is_said_with_the_way_to_learn_why(lookup: Lookup) -> None:
    hint = "`lookup --explain` shows every level that was asked"
    assert lookup("nosuch", "nor::this") == Result(1, "", f"nosuch, nor::this: hiera.yaml: not found in any level; {hint}\n1 problem\n")


@pytest.mark.parametrize("command", ["lookup", "render", "plan", "check", "apply"])
def test_an_undefined_variable_is_an_error_unless_lenient(command: str, tmp_path: Path) -> None:
    (tmp_path / "hiera.yaml").write_text("version: 5\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/common.yaml").write_text('runit:\n  prefix: "/opt/%{place}"\n  bogus: 1\n')
    words = (command, *(["runit"] if command == "lookup" else []), "--hiera-config", "hiera.yaml", "--fact", "role=web")
    place = "data/common.yaml:2:3: runit: undefined variable `place`; give it as a fact, or be lenient as Puppet 7 is (--lenient)\n"
    env = {"RUNIT_PROVISION_LIB": str(tmp_path / "lib")}
    outcome = "1 problem\n" if command == "lookup" else "1 problem; nothing was changed\n"
    assert runit_provision(*words, cwd=tmp_path, env=env) == Result(1, "", place + outcome)
    lenient = runit_provision(*words, "--lenient", cwd=tmp_path, env=env)
    if command == "lookup":
        assert lenient == Result(
            0, "prefix: /opt/\nbogus: 1\n", "warning: data/common.yaml:2:3: undefined variable `place`; give it as a fact\n"
        )
    else:  # the data is read, and the next thing that is wrong with it is told, after what was odd
        warning, problem, *_ = lenient.err.splitlines()
        assert (lenient.status, warning.partition(": ")[0], "undefined variable `place`" in warning) == (1, "warning", True)
        assert problem.startswith("data/common.yaml:3:3: runit.bogus: unknown key; ")


@pytest.mark.parametrize(
    ("common", "said"),
    [
        (
            b"a: \"%{alias('b')}\"\nb: \"%{alias('a')}\"\n",
            "data/common.yaml:2:1: a -> b: recursive lookup: a -> b -> a; break the circle",
        ),
        (b"a: &x {b: *x}\n", "data/common.yaml:1:11: the alias *x stands inside of what it names; data cannot contain itself"),
        (b"a: 1\nb: \xc3\xa9\xff\n", "data/common.yaml:2:5: not UTF-8; save the file as UTF-8"),
        (b"a:\n\tb: 1\n", "data/common.yaml:2:1: not YAML: while scanning for the next token, found character"),
        (b"a: :b\n", "data/common.yaml:1:1: a: a symbol, which Puppet refuses in data; quote it to have a string"),
    ],
)
def test_bad_data_is_an_error_with_its_line_and_a_hint(common: bytes, said: str, lookup: Lookup, tmp_path: Path) -> None:
    (tmp_path / "data/common.yaml").write_bytes(common)
    wrong = lookup("a")
    assert (wrong.status, wrong.out) == (1, "")
    assert wrong.err.startswith(said)
    assert wrong.err.endswith("\n1 problem\n")


def test_warnings_are_shown_also_when_nothing_is_found(lookup: Lookup, tmp_path: Path) -> None:
    (tmp_path / "hiera.yaml").write_text("version: 5\nhierarchy: [{name: a, path: '%{fact.os.family}.yaml'}]\n")
    for words in (["a"], ["a", "--explain"]):
        missed = lookup(*words)
        assert missed.status == 1
        assert "hiera.yaml:2:13: undefined variable `fact`; did you mean `facts`?\n" in missed.err
        assert "a: hiera.yaml: not found in any level" in missed.err


def test_an_unknown_backend_is_an_error_with_its_line_and_what_is_known(lookup: Lookup, tmp_path: Path) -> None:
    (tmp_path / "hiera.yaml").write_text(_CONFIG + "  - name: vault\n    lookup_key: hiera_vault\n    path: x\n")
    wrong = lookup("a")
    assert (wrong.status, wrong.out) == (1, "")
    assert wrong.err.startswith("hiera.yaml:7:5: lookup_key: unknown backend `hiera_vault`; known are ")


def test_a_level_that_may_not_be_read_is_an_error(lookup: Lookup, tmp_path: Path) -> None:
    (tmp_path / "data/common.yaml").unlink()
    (tmp_path / "data/common.yaml").mkdir()
    wrong = lookup("a")
    assert (wrong.status, wrong.out) == (1, "")
    assert wrong.err.startswith("hiera.yaml:5:5: data/common.yaml: cannot read it: Is a directory; ")


@pytest.mark.parametrize(
    ("within", "config", "datadir", "said"),
    [
        (".", "hiera.yaml", "data", "data/common.yaml"),
        (".", "site/hiera.yaml", "../data", "data/common.yaml"),
        (".", "site/deep/hiera.yaml", "../../data", "data/common.yaml"),
        ("site/deep", "../../hiera.yaml", "data", "../../data/common.yaml"),
        ("site/deep", "../hiera.yaml", "../data", "../../data/common.yaml"),
        ("site/deep", "hiera.yaml", "../../data", "../../data/common.yaml"),
    ],
)
def test_a_datadir_starts_at_hiera_yaml_wherever_the_command_runs(
    within: str, config: str, datadir: str, said: str, tmp_path: Path
) -> None:
    for folder in ("data", "site/deep"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "data/common.yaml").write_text("a: :b\n")
    (tmp_path / within / config).write_text(f"version: 5\ndefaults: {{datadir: {datadir}, data_hash: yaml_data}}\n")
    wrong = runit_provision("lookup", "a", "--hiera-config", config, "--node", "n1", cwd=tmp_path / within)
    assert wrong.status == 1
    assert wrong.err.startswith(f"{said}:1:1: a: a symbol")


def test_environments_and_modules_are_the_second_and_third_layer(lookup: Lookup, tmp_path: Path) -> None:
    laid = {
        "envs/test/hiera.yaml": "version: 5\n",
        "envs/test/data/common.yaml": 'family: hidden\nenv: "%{environment}"\n',
        "envs/test/modules/ntp/hiera.yaml": "version: 5\n",
        "envs/test/modules/ntp/data/common.yaml": "ntp::server: pool\n",
        "site/ntp/hiera.yaml": "version: 5\n",
        "site/ntp/data/common.yaml": "ntp::server: site\n",
    }
    for name, text in laid.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    given = ("--environmentpath", "envs", "--environment", "test")
    assert [lookup(key, *given).out for key in ("family", "env", "ntp::server")] == ["from the family\n", "test\n", "pool\n"]
    assert lookup("ntp::server", "--modulepath", "site:envs/test/modules").out == "site\n"
    (tmp_path / "site/n-tp").symlink_to("ntp")
    assert lookup("n-tp::server", "--modulepath", "site").err.startswith("n-tp::server: hiera.yaml: not found in any level")
    (tmp_path / "envs/test/environment.conf").write_text("modulepath = $basemodulepath\n")
    assert lookup("ntp::server", *given, "--basemodulepath", "site").out == "site\n"
    (tmp_path / "site").rename(tmp_path / "modules")
    assert lookup("ntp::server", *given).out == "site\n"
    assert lookup("env", "--environmentpath", "envs").err == (
        "envs/production: no such environment; check --environmentpath and --environment\n1 problem\n"
    )


def _facts_shown(tmp_path: Path, *words: str, path: str | None = None) -> Result:
    """What the node is, as a hierarchy without given facts sees it."""
    (tmp_path / "hiera.yaml").write_text("version: 5\n")
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data/common.yaml").write_text('kernel: "%{kernel}"\nold: "%{osfamily}"\n')
    env = {"PATH": os.environ["PATH"] if path is None else path}
    return runit_provision("lookup", *words, "--hiera-config", "hiera.yaml", cwd=tmp_path, env=env)


def test_the_node_is_its_clientcert_unless_the_facts_say_so(lookup: Lookup, tmp_path: Path) -> None:
    (tmp_path / "hiera.yaml").write_text(_CONFIG.replace("trusted.certname", "clientcert"))
    assert lookup("joined", "--merge", "first", "--format", "json").out == '[\n  "strace"\n]\n'
    assert lookup("joined", "--merge", "first", "--format", "json", "--fact", "clientcert=n2").out == '[\n  "vim"\n]\n'


def test_trusted_facts_are_given_as_facts_are(lookup: Lookup, tmp_path: Path) -> None:
    config = "version: 5\nhierarchy: [{name: a, path: '%{trusted.certname}-%{trusted.extensions.pp_role}.yaml'}]\n"
    (tmp_path / "hiera.yaml").write_text(config)
    (tmp_path / "data/n1-web.yaml").write_text('a: "%{trusted.extensions.cpus} %{trusted.hostname}"\n')
    given = ("--trusted", "extensions.pp_role=web", "--trusted", "extensions.cpus:=0x10")
    assert lookup("a", *given) == Result(0, "16 n1\n", "")
    assert lookup("a").status == 1
    refused = lookup("a", *given, "--trusted", "extensions=x")
    assert (refused.status, refused.err.partition(";")[0]) == (1, "fact extensions: it would take `extensions.pp_role` away")


def test_patterns_of_options_are_rubys(lookup: Lookup, tmp_path: Path) -> None:
    """With Python's meaning of any of them a secret would be shown, or nothing found."""
    options = {"^app_[[a-z]&&[^x]]+_pw$": "app_db_pw", "^.*(?i)token$": "API_TOKEN", r"^k\u00e9[[:lower:]]$": "k\u00e9\u00e9"}
    text = "lookup_options:\n" + "".join(f"  '{pattern}': {{convert_to: Sensitive}}\n" for pattern in options)
    (tmp_path / "data/common.yaml").write_text(text + "".join(f"{key}: hunter2\n" for key in options.values()), encoding="utf-8")
    assert [lookup(key) for key in options.values()] == [Result(0, "Sensitive [value redacted]\n", "")] * 3


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("s3cret %{lookup('pw')}", "recursive lookup; break the circle"),
        ("s3cret %{lookup('packages.x')}", "cannot look up; what it asks for lies in no hash or list"),
        ("s3cret %{nope}", "undefined variable; where it is to hold `%{` itself, write %{literal('%')}{"),
        ("s3cret %{s3cret('x')}", "unknown interpolation method; where it is to hold `%{` itself, write %{literal('%')}{"),
    ],
)
def test_what_is_wrong_with_a_secret_is_told_without_its_words(lookup: Lookup, tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "data/common.yaml").write_text(f'lookup_options: {{pw: {{convert_to: Sensitive}}}}\npw: "{text}"\n')
    refused = lookup("pw", "--explain")
    assert refused.status == 1
    assert f"data/common.yaml:2:1: pw: an expression within a secret cannot be resolved: {fault}\n" in refused.err
    assert "s3cret" not in refused.out + refused.err


def test_a_key_that_becomes_another_kind_of_number_takes_nothing_away(lookup: Lookup, tmp_path: Path) -> None:
    (tmp_path / "data/common.yaml").write_text("flag: true\na:\n  1: one\n  \"%{alias('flag')}\": two\n")
    refused = lookup("a")
    said = "data/common.yaml:4:3: a: the key stands here as another kind of number before; quote one of the two\n"
    assert (refused.status, refused.err.startswith(said)) == (1, True)


def test_a_mapped_variable_hides_no_variable_of_the_top(lookup: Lookup, tmp_path: Path) -> None:
    config = "version: 5\nhierarchy: [{name: a, mapped_paths: [list, hostname, '%{hostname}-%{::hostname}.yaml']}]\n"
    (tmp_path / "hiera.yaml").write_text(config)
    (tmp_path / "data/one-x.yaml").write_text("a: found\n")
    assert lookup("a", "--fact", "list:=[one, two]") == Result(0, "found\n", "")


def test_a_modules_key_that_is_not_its_own_is_told(lookup: Lookup, tmp_path: Path) -> None:
    (tmp_path / "modules/m/data").mkdir(parents=True)
    (tmp_path / "modules/m/hiera.yaml").write_text("version: 5\n")
    (tmp_path / "modules/m/data/common.yaml").write_text("m::a: 1\nother: 2\n")
    said = lookup("m::a", "--modulepath", "modules")
    assert (said.status, said.out) == (0, "1\n")
    assert "common.yaml:2:1: never found in data of the module `m`: `other`; its keys begin with `m::`\n" in said.err


def test_without_given_facts_facter_is_asked(tmp_path: Path) -> None:
    facter = oracle.program("facter", package="facter")
    kernel, family = (
        subprocess.run([facter, name], capture_output=True, text=True, check=True).stdout for name in ("kernel", "os.family")
    )
    assert _facts_shown(tmp_path, "kernel") == Result(0, kernel, "")
    assert "undefined variable `osfamily`" in _facts_shown(tmp_path, "old").err
    assert _facts_shown(tmp_path, "old", "--lenient") == Result(0, family, "")
    assert _facts_shown(tmp_path, "kernel", "--node", "other").status == 1


def test_a_facter_that_fails_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/facter"
    program.write_text("#!/bin/sh\necho first >&2; echo no such device >&2; exit 3\n")
    program.chmod(0o755)
    failed = _facts_shown(tmp_path, "kernel", path=f"{tmp_path}/bin:/usr/bin")
    assert (failed.status, failed.out) == (1, "")
    assert failed.err.startswith(f"{program}: failed with status 3: no such device; give the facts with --facts FILE")
    program.write_text("#!/bin/sh\necho oops\n")
    assert _facts_shown(tmp_path, "kernel", path=f"{tmp_path}/bin:/usr/bin").err.startswith("facter:1:1: not JSON")
    assert _facts_shown(tmp_path, "kernel", "--fact", "kernel=L", path=f"{tmp_path}/bin:/usr/bin") == Result(0, "L\n", "")


def test_facts_of_the_command_line_are_strings_or_what_yaml_says(lookup: Lookup, tmp_path: Path) -> None:
    (tmp_path / "hiera.yaml").write_text("version: 5\nhierarchy: [{name: a, mapped_paths: [roles, role, '%{role}.yaml']}]\n")
    (tmp_path / "data/db.yaml").write_text('a: "%{cpus} %{text} %{facts.os}"\n')
    given = ("--fact", "roles:=[web, db]", "--fact", "cpus:=0x10", "--fact", "text=0x10", "--fact", "os.release:={major: 12}")
    assert lookup("a", *given).out == '16 0x10 {"release"=>{"major"=>12}, "family"=>"Debian"}\n'
    refused = lookup("a", "--fact", "roles:=[web")
    assert (refused.status, refused.out) == (64, "")
    assert "roles:1:1: not YAML" in refused.err
    broken = lookup("a", "--fact", os.fsdecode(b"roles=\xff"))
    assert (broken.status, broken.out) == (64, "")
    assert "'--fact': 'roles=\\udcff' is not UTF-8" in broken.err


def test_what_only_a_hierarchy_reads_is_refused_beside_resolved_data(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("runit: {}\n")
    (tmp_path / "facts.yaml").write_text("{}\n")
    for words in (["--facts", "facts.yaml"], ["--fact", "a=b"], ["--node", "n1"], ["--lenient"], ["--environment", "test"]):
        refused = runit_provision("render", "--data", "data.yaml", *words, cwd=tmp_path)
        assert (refused.status, refused.out) == (64, "")
        assert f"{words[0]}: for a hierarchy (--hiera-config) alone" in refused.err


def test_a_number_that_json_does_not_have_is_an_error(lookup: Lookup, tmp_path: Path) -> None:
    (tmp_path / "data/common.yaml").write_text("a: [.inf]\n")
    assert lookup("a").out == "- .inf\n"
    hint = "--format yaml shows it"
    assert lookup("a", "--format", "json") == Result(1, "", f"a: JSON has no number that is not finite; {hint}\n1 problem\n")


@pytest.mark.parametrize(
    "conf",
    [
        None,
        "",
        "# comment\nmodulepath = site : modules:$basemodulepath\n",
        "manifest = x\nmodulepath=../common:/abs:./b/../c:$codedir/x\n",
        "modulepath = m*:$basemodulepath\nmodulepath = never\n",
        "[main]\nmodulepath = 'a:\"b\"'\n",
        "modulepath =\n",
    ],
)
def test_environment_conf_says_where_modules_are(conf: str | None, tmp_path: Path) -> None:
    environment = tmp_path / "code/environments/test"
    (environment / "modules").mkdir(parents=True)
    (environment / "m2").mkdir()
    if conf is not None:
        (environment / "environment.conf").write_text(conf)
    layers = Layers("test", tmp_path / "code/environments", basemodulepath=(tmp_path / "base", Path("/else")))
    own = [f"--{name}={tmp_path / 'code'}" for name in ("confdir", "vardir", "codedir")]
    base = f"--basemodulepath={tmp_path}/base:/else"
    puppet = oracle.program("puppet", package="puppet-agent")
    words = ["config", "print", "modulepath", *own, f"--environmentpath={layers.environmentpath}", "--environment=test", base]
    said = subprocess.run([puppet, *words], capture_output=True, text=True, check=True).stdout
    assert ":".join(map(str, layers.modules(Inputs()))) == said.strip()


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ("modulepath = $nope/x\n", "1:1: modulepath: unknown setting $nope; known here are $basemodulepath, $codedir; or"),
        ("# x\nmodulepath\n", "2:1: neither a setting nor a comment; as `modulepath = site:modules:$basemodulepath`"),
    ],
)
def test_a_wrong_environment_conf_is_an_error_with_its_line(conf: str, said: str, lookup: Lookup, tmp_path: Path) -> None:
    (tmp_path / "envs/test").mkdir(parents=True)
    (tmp_path / "envs/test/environment.conf").write_text(conf)
    wrong = lookup("m::a", "--environmentpath", "envs", "--environment", "test")
    assert (wrong.status, wrong.out) == (1, "")
    assert wrong.err.startswith(f"envs/test/environment.conf:{said}")


def test_a_data_file_is_looked_into_without_a_hierarchy(tmp_path: Path) -> None:
    data = tmp_path / "data.yaml"
    data.write_text("runit:\n  users:\n    u1: {services: {w: {command: [a, b]}}}\nplain: 5\n")
    found = runit_provision("lookup", "runit.users.u1.services.w.command.1", "--data", data)
    assert (found.status, found.out, found.err) == (0, "b\n", "")
    assert runit_provision("lookup", "nothing", "plain", "--data", data).out == "5\n"
    assert runit_provision("lookup", "nothing", "--default", "x", "--data", data).out == "x\n"
    missing = runit_provision("lookup", "nothing", "--data", data)
    assert (missing.status, missing.err.splitlines()[0]) == (1, f"nothing: {data}: not found in the file")
    amiss = runit_provision("lookup", "plain.x", "--data", data)
    assert (amiss.status, amiss.err.splitlines()[0]) == (
        1,
        f"{data}:4:1: plain.x: cannot look up `x` in an Integer; only hashes and lists have subkeys",
    )
    assert runit_provision("lookup", "plain", "--explain", "--data", data).status == 64
