"""Other files and whole scripts of a service, from text, templates and copies, as a service that runs finds them."""

from __future__ import annotations

import grp
import pwd
from typing import Any

import pytest
from support import oracle, waiting
from support.tour import Tour, account


@pytest.mark.shows("data", "host", "template_path", "file_path", "services")
@pytest.mark.shows("data", "service", "run", "files", "check", "control", "finish")
@pytest.mark.shows("data", "script", "content", "template", "variables", "source")
@pytest.mark.shows("data", "file", "content", "template", "variables", "source", "mode")
@pytest.mark.shows("data", "check", "run")
@pytest.mark.shows("data", "finish", "run")
def test_texts_templates_and_copies_are_where_the_service_finds_them(tour: Tour) -> None:
    own, copies = tour.base / "own", tour.base / "copies"
    (copies / "conf.d/sub").mkdir(parents=True)
    own.mkdir()
    (own / "run.j2").write_text(
        "#!/bin/sh\ncat text page copy conf.d/10 conf.d/sub/in\n./tool {{ word|sh }} {{ service.name }}\nexec sleep 1000\n"
    )
    (own / "page.j2").write_text("{% for port in ports %}port {{ port }} of {{ service.id }}\n{% endfor %}")
    for name, text in {
        "copy": "copied\n",
        "conf.d/10": "ten\n",
        "conf.d/sub/in": "inner\n",
        "tool": '#!/bin/sh\necho "$1 $2"\n',
    }.items():
        (copies / name).write_text(text)
    (copies / "tool").chmod(0o755)
    (copies / "control").write_text("#!/bin/sh\necho asked to reload\n")
    service = {
        "run": {"template": "run.j2", "variables": {"word": "it's $5"}},
        "files": {
            "text": "text\n",
            "page": {"template": "page.j2", "variables": {"ports": [80, 443]}},
            "copy": {"source": "copy", "mode": "0640"},
            "tool": {"source": "tool"},
            "conf.d/": {"source": "conf.d"},
        },
        "check": {"run": {"content": "#!/bin/sh\n[ -e ./copy ]\n"}},
        "control": {"h": {"source": "control"}},
        "finish": {"run": '#!/bin/sh\necho "ended $1 $2"\n'},
        "log": {"timestamp": "utc"},
    }
    tour.start({"template_path": [str(own)], "file_path": ["copies"], "services": {"it": service}})
    said = ["text", "port 80 of it", "port 443 of it", "copied", "ten", "inner", "it's $5 it"]
    waiting.until(lambda: tour.log("log/it") == said)
    assert tour.sv("-w", "60", "check", "sv/it").returncode == 0
    tour.sv("hup", "sv/it")
    waiting.until(lambda: tour.log("log/it") == [*said, "asked to reload"])
    tour.sv("-w", "60", "stop", "sv/it")
    waiting.until(lambda: tour.log("log/it") == [*said, "asked to reload", "ended -1 15"])
    modes = {name: (tour.base / "sv/it" / name).stat().st_mode & 0o777 for name in ("text", "copy", "tool", "conf.d/10", "run")}
    assert modes == {"text": 0o644, "copy": 0o640, "tool": 0o755, "conf.d/10": 0o644, "run": 0o755}


@pytest.mark.shows("data", "file", "owner", "group", "restarts")
@pytest.mark.shows("data", "service", "files")
def test_a_file_is_whose_the_data_say_and_its_change_restarts_only_what_it_is_to(tour: Tour) -> None:
    oracle.root("files of others")

    def data(text: str) -> dict[str, Any]:
        given = {"content": text, "owner": "nobody", "group": "adm", "mode": "0640"}
        says = {"command": ["sh", "-c", "cat conf; exec sleep 1000"]}
        return {
            "services": {
                "kept": {**says, "files": {"conf": given}},
                "again": {**says, "files": {"conf": {**given, "restarts": True}}},
            }
        }

    people = {"nobody": account("nobody", str(tour.base))}
    assert tour.apply(data("one\n"), others=people).ok
    tour.supervise()
    waiting.until(lambda: tour.log("log/kept") == ["one"] == tour.log("log/again"))
    found = (tour.base / "sv/kept/conf").stat()
    assert (found.st_uid, found.st_gid) == (pwd.getpwnam("nobody").pw_uid, grp.getgrnam("adm").gr_gid)
    kept = waiting.until(lambda: tour.runs("sv/kept") and tour.status("sv/kept"))
    assert tour.apply(data("two\n"), others=people).ok
    waiting.until(lambda: tour.log("log/again") == ["one", "two"])
    now = tour.status("sv/kept")
    assert kept and now and kept.pid == now.pid
    assert (tour.base / "sv/kept/conf").read_text() == "two\n"
