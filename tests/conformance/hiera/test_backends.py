"""Encrypted values and HOCON: the same from Puppet and from ours."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from conformance.hiera.case import Case
from conformance.hiera.puppet import Puppet, ask_ours, same
from support import oracle

from runit_provision.errors import DataError
from runit_provision.hiera import open_hierarchy
from runit_provision.model.data import Sensitive

_KEYS = "pkcs7_private_key: {0}/private_key.pkcs7.pem, pkcs7_public_key: {0}/public_key.pkcs7.pem"


@pytest.fixture(scope="session")
def eyaml_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pair of keys that hiera-eyaml made."""
    oracle.program("eyaml", package="hiera-eyaml")
    folder = tmp_path_factory.mktemp("eyaml")
    _eyaml("createkeys", folder)
    return folder


def _eyaml(command: str, folder: Path, *arguments: str) -> str:
    keys = [f"--pkcs7-{kind}-key={folder}/{kind}_key.pkcs7.pem" for kind in ("private", "public")]
    ran = subprocess.run(["eyaml", command, *keys, *arguments], capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def _encrypted(folder: Path, text: str) -> str:
    return _eyaml("encrypt", folder, "-o", "string", "-q", "-s", text)


def _case(keys: Path, data: str) -> Case:
    options = _KEYS.format(keys)
    config = f"version: 5\nhierarchy: [{{name: x, lookup_key: eyaml_lookup_key, path: x.eyaml, options: {{{options}}}}}]\n"
    asked = tuple({"key": key} for key in ("a", "b", "c", "d", "e", "e.x", "f"))
    return Case({"hiera.yaml": config, "data/x.eyaml": data}, asked, strict=True)


def _compared(case: Case, puppet: Puppet, folder: Path) -> list[list[Any]]:
    question = case.lay(folder)
    theirs, ours = puppet.ask(question), ask_ours(question, secrets=False)
    assert [(mine, theirs_) for mine, theirs_ in zip(ours, theirs, strict=True) if not same(theirs_, mine)] == []
    return ours


def test_encrypted_values_open_as_hiera_eyaml_opens_them(eyaml_keys: Path, puppet: Puppet, tmp_path: Path) -> None:
    first, second = _encrypted(eyaml_keys, "s3cret %{role}\n"), _encrypted(eyaml_keys, "ü")
    folded = first.replace("PKCS7,", "pkcs7,\n  ", 1)
    data = (
        f"a: {first}\nb: 'x {first} y {second}'\nc: >\n  {folded}\nd: ['{second}', plain]\ne: {{x: '{second}', 'k%{{role}}': 1}}\n"
        f"f: '<%{{lookup(\"a\")}}>'\n"
    )
    ours = _compared(_case(eyaml_keys, data), puppet, tmp_path)
    assert ours[0] == ["found", ["str", "s3cret web"]]


def test_what_came_out_of_an_encrypted_value_is_sensitive_also_within_other_text(eyaml_keys: Path, tmp_path: Path) -> None:
    data = f"a: {_encrypted(eyaml_keys, 's3cret')}\nb: plain\nf: '<%{{lookup(\"a\")}}>'\n"
    _case(eyaml_keys, data).lay(tmp_path)
    hierarchy = open_hierarchy(tmp_path / "hiera.yaml", facts={}, node="n1")
    assert hierarchy.lookup("a") == Sensitive("s3cret")
    assert hierarchy.lookup("b") == "plain"
    assert hierarchy.lookup("f") == Sensitive("<s3cret>")
    assert "s3cret" not in hierarchy.explain("f")
    assert "s3cret" in hierarchy.explain("f", show_secrets=True)


def test_a_wrong_private_key_is_an_error_at_the_value(eyaml_keys: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    _eyaml("createkeys", other)
    (tmp_path / "hierarchy").mkdir()
    _case(other, f"a:\n  x: {_encrypted(eyaml_keys, 's3cret')}\n").lay(tmp_path / "hierarchy")
    with pytest.raises(DataError) as caught:
        open_hierarchy(tmp_path / "hierarchy/hiera.yaml", facts={}, node="n1").lookup("a")
    value, key = f"{tmp_path}/hierarchy/data/x.eyaml:2:3", f"{other}/private_key.pkcs7.pem"
    assert str(caught.value) == f"{value}: a: cannot be decrypted with {key}; was it encrypted for another key?"


def test_keys_that_are_no_pair_are_an_error_that_names_both(eyaml_keys: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    _eyaml("createkeys", other)
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    (mixed / "private_key.pkcs7.pem").write_bytes((eyaml_keys / "private_key.pkcs7.pem").read_bytes())
    (mixed / "public_key.pkcs7.pem").write_bytes((other / "public_key.pkcs7.pem").read_bytes())
    _case(mixed, f"a: {_encrypted(eyaml_keys, 's3cret')}\n").lay(tmp_path)
    with pytest.raises(DataError) as caught:
        open_hierarchy(tmp_path / "hiera.yaml", facts={}, node="n1").lookup("a")
    pair = f"{mixed}/private_key.pkcs7.pem and {mixed}/public_key.pkcs7.pem"
    said = f"a: the private key and the public one are no pair: {pair}; give both as one `eyaml createkeys` wrote them"
    assert str(caught.value) == f"{tmp_path}/data/x.eyaml:1:1: {said}"


@pytest.mark.parametrize("damaged", ["ENC[PKCS7,]", "ENC[PKCS7,MII", "x ENC[PKCS7,MII*c3] y", "ENC[pkcs7,]"])
def test_what_only_begins_as_an_encrypted_value_is_an_error(damaged: str, eyaml_keys: Path, tmp_path: Path) -> None:
    _case(eyaml_keys, f"a: '{damaged}'\nb: 'see ENC[...]'\n").lay(tmp_path)
    hierarchy = open_hierarchy(tmp_path / "hiera.yaml", facts={}, node="n1")
    with pytest.raises(DataError) as caught:
        hierarchy.lookup("a")
    said = "a: no encrypted value, though it begins as one: `ENC[PKCS7,`; encrypt it again, and copy all of it"
    assert str(caught.value) == f"{tmp_path}/data/x.eyaml:1:1: {said}"
    assert hierarchy.lookup("b") == Sensitive("see ENC[...]")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = 1\nb = [1,\n", "3:1: not HOCON: "),
        ("a = 1\nb = ${nope}\n", "2:5: not HOCON: "),
        ("[1]\n", "1:1: no data: it holds a list"),
        (f"b = 1\na = {'9' * 5000}\n", "2:5: not HOCON: invalid float"),
        ("{a = 1}\nb = 2\n", "2:1: not HOCON: something follows the closing brace"),
        ("a = ${b}\nb = ${?c}\n", "1:5: not HOCON: could not resolve substitution: ${b}"),
        ("a = ${b.c}\nb = ${a}\n", "1:5: not HOCON: a substitution leads in a circle"),
        ("a = 1\na = ${b}\nb = ${a}\n", "3:5: not HOCON: a substitution leads in a circle"),
        ("a = {x = ${a}}\n", "1:10: not HOCON: a substitution leads in a circle"),
        ("a = ${?b}\nb = ${a}\n", "2:5: not HOCON: could not resolve substitution: ${a}"),
        ("a = 1\nb = [{x += 1}]\n", "2:7: not HOCON: += within a list"),
        ("a += {x += 1}\n", "1:7: not HOCON: += within a list"),
        ("a = ${b} {x = ${a}}\nb = {}\n", "1:15: not HOCON: could not resolve substitution: ${a}"),
        ("a = ${?x[]}\n", "1:5: not HOCON: no path of a key: ${x[]}"),
        ('include required("x")\n', "1:9: not HOCON: Puppet knows no such include"),
        ("a = [x,\n  http://y]\n", "2:7: not HOCON: `:` within a value that is not quoted"),
        ("a = 1 b = 2\n", "1:9: not HOCON: `=` within a value that is not quoted"),
        ("a {b = 1} {c = 2}\n", "1:11: not HOCON: something follows a hash that has no `=` before it"),
        ("a = ${HOME}\n", "1:5: not HOCON: could not resolve substitution: ${HOME}; define that key in this file"),
        ("a = [1] {x = 2}\n", "1:5: not HOCON: hashes, lists and text stand side by side"),
        (
            "l0 = x\n" + "".join(f"l{n} = [${{l{n - 1}}}, ${{l{n - 1}}}]\n" for n in range(1, 40)),
            "19:16: not HOCON: substitutions repeat",
        ),
        ("\ufeffa = 1\n", "1:1: not HOCON: a byte order mark"),
    ],
)
def test_what_is_wrong_with_hocon_is_said_with_its_place_and_a_hint(text: str, said: str, tmp_path: Path) -> None:
    config = "version: 5\nhierarchy: [{name: x, data_hash: hocon_data, path: x.conf}]\n"
    Case({"hiera.yaml": config, "data/x.conf": text}, (), strict=True).lay(tmp_path)
    with pytest.raises(DataError) as caught:
        open_hierarchy(tmp_path / "hiera.yaml", facts={}, node="n1").lookup("a")
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"{tmp_path}/data/x.conf:{said}")
    assert problem.hint


@pytest.mark.parametrize(
    "text",
    [
        'a = 1\n"m::a" = {x = [1, 2], y : ${a}, z = null, t = true, f = 1.5, "p.q" = 2}\nb { e = "%{role}" }\n',
        "c = hello world\nd.x.y = 5\ne = [a, b]\ne = ${e} [c]\n",
        "a = [1, {x = 2}]\nb = ${a}\n",
        "a = {x = 1}\na = [2]\n# c\n// d\n",
        "a = [1\n",
        "a = 10s\nb = 5 days\nc = 1.0\nd = [1e3, 010, 09, 5., -0.5]\ne.x = 3.5.6\n",
        'a = [1]\na += 2\nb = null x\nc = TRUE\nd = "\\u0041"\ne = ${?nope}\n',
        'a = 5\na.x = 1\nb = ${a} ${a}\ninclude "other"\nc = x${?nope}y\n',
        "a = ${b.c}\nb = ${d}\nd = {c = {e = 5}}\nc = ${?b.c.e}\ne = ${?b.nope}\n",
        "a = {x = ${b.c.e}}\nb = ${d}\nd = {c = ${e}}\ne = {e = ${c}}\nc = 5\n",
        "a = ${b.x}\nb = {x = ${c.y}, y = ${a}}\nc = ${d}\nd = {y = 2}\n",
        "a = {x = 1}\nb = ${c.e}\nc.e = 1\nc.e = ${c.e}2\n",
        "{a = 1}\n# the end\n",
        "b.y = 2\nb = ${?undefined}\nb.x = 1\na = ${b}\n",
        'a.x = 1\na."p.q" = 2\nb = {x = 1, y = 2}\nb = {z = 3, y = {q = 4}}\nc = ${b} {w = 5}\nd = {x = 1} {y = 2, x = 3}\n',
        "a : {a : {c : 1}}\na : ${a.a}\na : {a : 2}\nb : {a : ${c.d}, b : 1}\nb.b = 3\nc : {c : ${b.b}, d : 2}\nc.d = 4\n",
        "a = {x = [1]}\na.x += 2\nc = {x = [1]}\nb = ${c}\nb.x += 3\nd = ${c} {x += 4}\ne = ${c}${c}\n",
        "c = {x = 1}\na = {x = 0}\na = ${c} {y = ${a.x}2}\nb = ${c}\nb.y = ${b.x}2\nd = ${c} {y = ${?d.q}, q = 7}\n",
        "a.z = ${?a}\na.y = 1\nb = [${?b}, 1]\nc.x = [${nope}]\nc.x = {}\nd = 1\nd.x = 1\ne.y = 1\ne = ${d}\n",
        "a = ${?d} x ${?e}\nb = ${?d} ${?e}\nc = ${b}1\n",
        "a = ${?b}\nb = ${?a}\nc = x ${?d}\nd = y ${?c}\n",
        "a = 1\na = ${?b}\nb = 2\nb = ${?a}\nc = ${?d}${?e}\nd = ${?e}1\ne = ${?d}2\n",
        "a = ${?b} [1]\nb = ${?a} [2]\nc.x = 1\nc = ${?d}\nd.y = 2\nd = ${?c}\n",
        "a = {x = ${?b.y}}\nb = {y = ${?a.x}}\nc = ${?d.x}\nd = ${?c}\nd = {x = ${?d.y}}\n",
        "a = [${?b}]\nb = [${?a}]\nc = {x = ${?d}}\nd = {y = ${?c}}\ne = 1\ne = ${a}\n",
        "a = {x = ${?c}}\nb = ${?a}\na = ${?c}\nc.x = ${?b.x}\nb.x = ${?c.x}\n",
        "a.x = ${?nope}\nb = {x = ${a}}\nb = ${a}\nc = {x = ${?c}}\nd = ${?c.x}\n",
        "a.x = 5\nb = ${a}\nb = {x = ${a}}\n",
        "a = 1\na = ${b}\nb = ${a}\n",
        "a =\n{b = 1} {c = 2}\nb\n{c = 1}, c\n: [//x\n5]\nd {e = 1} // f = 2\n",
        *("a = x:y\n", "a = x =\n", "a = [x = y]\n", 'a = "x": y\n', "a {} {}\n", "a {} x\n", "a {} ${a}\n", "{a = 1}\n= 2\n"),
    ],
)
def test_hocon_has_the_values_that_puppet_gives_it(text: str, puppet: Puppet, tmp_path: Path) -> None:
    config = "version: 5\nhierarchy: [{name: x, data_hash: hocon_data, path: x.conf}]\n"
    asked = tuple({"key": key} for key in ("a", "b", "c", "d", "e", "m::a", "a.x"))
    _compared(Case({"hiera.yaml": config, "data/x.conf": text}, asked, strict=True), puppet, tmp_path)


def test_many_lines_that_add_to_a_list_are_read_by_a_lookup_and_when_keys_are_listed(tmp_path: Path) -> None:
    config = "version: 5\nhierarchy: [{name: x, data_hash: hocon_data, path: x.conf}]\n"
    Case({"hiera.yaml": config, "data/x.conf": "".join(f"a += {n}\n" for n in range(3000))}, (), strict=True).lay(tmp_path)
    hierarchy = open_hierarchy(tmp_path / "hiera.yaml", facts={}, node="n1")
    assert hierarchy.keys() == ["a"]
    assert hierarchy.lookup("a") == list(range(3000))
