"""Patterns that stand in data, asked of Ruby too."""

from __future__ import annotations

import json
import subprocess

import pytest
from support import oracle

from runit_provision.errors import DataError
from runit_provision.hiera.ruby.patterns import RubyPattern

CASES = [
    (r"^kéy\w$", "kéyé"),
    (r"^[\w-]+$", "a-b"),
    (r"^[^\W]+$", "é"),
    (r"^\p{Word}$", "é"),
    (r"^[[:word:]]+$", "é"),
    (r"^ñ[[:lower:]]$", "ñó"),
    (r"^[[:digit:]]$", "\u0661"),
    (r"^\d$", "\u0661"),
    (r"^sp\sx$", "sp\u00a0x"),
    (r"^\S$", "\u00a0"),
    (r"x\bé", "xé"),
    (r"é\b", "é x"),
    (r"^app_[[a-z]&&[^x]]+_pw$", "app_db_pw"),
    (r"^a(?i)B$", "ab"),
    (r"^.*(?i)(password|secret)$", "db::PassWord"),
    (r"^\p{Alpha}+$", "ab"),
    (r"^t\R", "t\r\n"),
    (r"^\X$", "é"),
    (r"^\h+$", "af0"),
    (r"^\h$", "g"),
    (r"^a.b$", "a\nb"),
    (r"(?m)^a.b$", "a\nb"),
    (r"^(?<n>a)\k<n>$", "aa"),
    (r"^(?<y>\d+)-\g<y>$", "12-34"),
    (r"(?x) a # c", "a"),
    (r"\Aab\Z", "ab\n"),
    (r"\Aab\z", "ab\n"),
    (r"^\N$", "a"),
    (r"^\\w$", "\\w"),
    (r"^b$", "a\nb\nc"),
    (r"^(?:a|b)++$", "ab"),
    (r"^a{2,1}$", "a"),
    (r"^[a{2,1}]$", "a"),
    (r"^\ya", "ya"),
    (r"[z-a]", "a"),
    (r"^\u{e9 e8}$", "éè"),
    (r"^[\u{e9 e8}]$", "è"),
    (r"\x{e9}", "é"),
    (r"\o{2}", "oo"),
    (r"^a\cIb", "a\tb"),
    (r"\M-a", "a"),
    (r"^*a", "a"),
    (r"b\A+a", "a"),
    (r"^+a", "a"),
    (r"\b??a", "a"),
    (r"x\b{2}?a", "xa"),
    (r"^{2,1}", "a"),
    (r"(?u)^\w$", "é"),
    (r"(?d)^\w$", "é"),
    (r"(?:(?u)\w)\w", "éé"),
    (r"(?u:\w)x", "éx"),
    (r"(?ui)^É$", "é"),
    (r"a(?u)|b", "b"),
    (r"(?u)*", "b"),
    (r"(?W)a", "a"),
    (r"(?P)a", "a"),
    (r"(?y{g})a", "a"),
    (r"(?{a})", "a"),
    (r"(*FAIL)", "a"),
    (r"[(*FAIL)(?W)]$", "W"),
    (r"[]^*]$", "]"),
    (r"[\w](?W)", "a"),
    (r"(", "a"),
    (r"\p{Foo}", "a"),
    (r"[[:foo:]]", "a"),
]
ASK = "puts JSON.parse(STDIN.read).map { |p, s| begin; !!(Regexp.new(p) =~ s); rescue RegexpError; nil; end }.to_json"


def test_ruby_matches_the_same() -> None:
    ruby = oracle.program("ruby", package="puppet-agent")
    done = subprocess.run([ruby, "-W0", "-rjson", "-e", ASK], input=json.dumps(CASES), capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout)
    assert [(case, _ours(*case)) for case in CASES] == list(zip(CASES, theirs, strict=True))


def _ours(source: str, text: str) -> bool | None:
    try:
        return RubyPattern(source).search(text)
    except DataError:
        return None


@pytest.mark.parametrize(
    ("source", "text", "left"), [("^--", "--a\n--b--", "a\nb--"), ("^x*", "xxay", "ay"), ("é", "aébé", "ab"), ("$", "a", "a")]
)
def test_what_matches_is_removed(source: str, text: str, left: str) -> None:
    assert RubyPattern(source).removed(text) == left
