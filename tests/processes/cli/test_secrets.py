"""A secret of the data: it arrives, and no command says it, nor does any file that others may read."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from support.command import Result, runit_provision

TOKEN = "wKkT7-not-to-be-seen"
DATA = """\
runit:
  owner: OWNER
  runtime: none
  prefix: PLACE/runtime
  service_directory: PLACE/service
  definitions: PLACE/sv
  log_directory: PLACE/log
  services:
    web:
      command: [sleep, "1000"]
      env:
        TOKEN: {__ptype: Sensitive, __pvalue: VALUE}
"""


def holders(folder: Path, *, but: Path) -> dict[Path, int]:
    """Give the files in which it stands, other than the data, and the mode of each."""
    found = (path for path in folder.rglob("*") if path.is_file() and path != but and TOKEN.encode() in path.read_bytes())
    return {path: path.stat().st_mode & 0o777 for path in found}


@pytest.mark.shows("roads", "command line", "secrets unseen")
def test_a_secret_is_told_by_no_command_and_lies_where_nobody_else_reads(tmp_path: Path) -> None:
    place, data = tmp_path / "host", tmp_path / "data.yaml"
    place.mkdir(mode=0o755)
    said: list[Result] = []

    def road(*arguments: str, value: str = TOKEN) -> Result:
        data.write_text(DATA.replace("OWNER", pwd.getpwuid(os.geteuid()).pw_name).replace("PLACE", str(place)).replace("VALUE", value))
        source = () if arguments[0] == "rollback" else ("--data", str(data))
        said.append(runit_provision(*arguments, *source, env={"RUNIT_PROVISION_LIB": str(tmp_path / "lib")}))
        return said[-1]

    assert road("plan").status == 2
    assert road("apply", "--format", "json").status == 0
    token = place / "sv/web/env/TOKEN"
    assert token.read_text() == f"{TOKEN}\n"
    drifted = road("check", "--format", "json", value="another")
    assert (drifted.status, str(token) in drifted.out) == (2, True)
    planned = road("plan", value="another")
    assert "    (the content is secret)" in planned.out.splitlines()
    assert road("apply", value="another").status == 0
    assert {*holders(tmp_path, but=data).values()} == {0o600}, "what a rollback needs is kept"
    assert road("rollback").status == 0
    assert road("verify", "--within", "0").status == 2
    assert road("apply", value=f"[{TOKEN}]").status == 1
    assert [words for words in said if TOKEN in words.out + words.err] == []
    assert holders(tmp_path, but=data) == {token: 0o600}
