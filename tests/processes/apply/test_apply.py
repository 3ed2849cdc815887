"""Plans carried out on real directories."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support import oracle, waiting
from support.places import Place
from support.trees import Unit, grow

from runit_provision import plan
from runit_provision.apply import paths
from runit_provision.errors import HostError, LockHeldError
from runit_provision.model.tree import Directory, Effect


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    before = os.umask(0o077)  # what is made has the modes of the data, whatever the umask
    yield Place(tmp_path)
    os.umask(before)


def test_an_apply_makes_what_the_tree_says_and_a_second_has_nothing_to_do(place: Place) -> None:
    tree = grow(place.base, [Unit("web", run=b"#!/bin/sh\nexec web\n")])
    assert place.apply(tree).ok
    assert place.listing() == {
        "sv": "drwxr-xr-x ",
        "sv/web": "drwxr-xr-x ",
        "sv/web/run": "-rwxr-xr-x #!/bin/sh\nexec web\n",
        "service": "drwxr-xr-x ",
        "service/web": f"lrwxrwxrwx {place.base}/sv/web",
    }
    assert plan.describe(place.plan(tree)) == ["nothing to do; 5 unchanged"]


def test_a_changed_file_is_replaced_and_a_lost_service_goes_with_all_that_was_made(place: Place) -> None:
    place.apply(grow(place.base, [Unit("a"), Unit("b")]))
    tree = grow(place.base, [Unit("a", run=b"#!/bin/sh\nexec other\n")])
    assert place.apply(tree).ok
    assert set(place.listing()) == {"sv", "sv/a", "sv/a/run", "service", "service/a"}
    assert (place.base / "sv/a/run").read_text() == "#!/bin/sh\nexec other\n"
    assert place.plan(tree).empty


def test_a_file_of_the_users_own_keeps_the_directory_of_a_lost_service(place: Place) -> None:
    place.apply(grow(place.base, [Unit("a")]))
    (place.base / "sv/a/notes").write_text("mine")
    report = place.apply(grow(place.base, []))
    assert report.notes == [f"{place.base}/sv/a stays: it holds what was not made here (notes)"]
    assert set(place.listing()) == {"sv", "sv/a", "sv/a/notes", "service"}
    assert place.plan(grow(place.base, [])).empty


def test_a_hand_edited_file_is_drift_and_is_kept_when_it_is_replaced(place: Place) -> None:
    tree = grow(place.base, [Unit("a")])
    place.apply(tree)
    (place.base / "sv/a/run").write_text("#!/bin/sh\nmy own\n")
    line = plan.describe(place.plan(tree))[0]
    assert line == (
        f"~ {place.base}/sv/a/run  content changed, edited by hand since the last apply, kept: runit.services (data.yaml:3)"
    )
    place.apply(tree)
    place.apply(grow(place.base, [Unit("a", run=b"#!/bin/sh\nexec other\n")]))
    assert "#!/bin/sh\nmy own\n" in place.kept()


def test_what_a_hand_made_before_is_adopted_when_it_is_the_same(place: Place) -> None:
    tree = grow(place.base, [Unit("a")])
    place.apply(tree)
    for memory in place.library.glob("[a-z]*"):
        if memory.is_file():
            memory.unlink()
    assert place.plan(tree).empty
    assert place.apply(tree).paths == []
    assert set(place.apply(grow(place.base, [])).to_json()["paths"][0]) == {"path", "change"}
    assert set(place.listing()) == {"sv", "service"}


def test_rollback_gives_back_contents_modes_links_and_lost_services(place: Place) -> None:
    place.apply(grow(place.base, [Unit("a"), Unit("b", mode=0o700)]))
    before = place.listing()
    place.apply(grow(place.base, [Unit("a", run=b"other"), Unit("c")]))
    assert place.listing() != before
    assert place.rollback().ok
    assert place.listing() == before
    assert place.plan(grow(place.base, [Unit("a"), Unit("b", mode=0o700)])).empty
    with pytest.raises(HostError, match="there is no apply to roll back"):
        place.rollback()


def test_who_watches_is_told_of_what_is_written_as_well_as_of_what_gets_its_name(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "_SLICE", 2)
    told: list[tuple[int, int, str]] = []
    place.apply(grow(place.base, [Unit("a")]), progress=lambda *words: told.append(words))
    made = [f"{place.base}/{name}" for name in ("sv", "sv/a/run", "service/a")]
    ends = [f"{place.base}/{name}" for name in ("service", "sv", "sv/a", "sv/a/run", "service/a")]
    counted = [*zip((2, 4, 5), made, strict=True), (5, "makes what is new in / last"), *enumerate((*ends, "a"), 6)]
    assert told == [(done, 11, what) for done, what in counted]


def test_a_directory_in_the_place_of_a_file_is_refused_before_anything_changes(place: Place) -> None:
    (place.base / "sv/a/run").mkdir(parents=True)
    before = place.listing()
    with pytest.raises(HostError, match=r"data.yaml:3:1: runit.services: .*/sv/a/run: a directory is in the place of a file"):
        place.apply(grow(place.base, [Unit("a"), Unit("b")]))
    assert place.listing() == before


def test_a_fifo_in_the_place_of_a_file_hangs_nobody(place: Place) -> None:
    (place.base / "sv/a").mkdir(parents=True)
    os.mkfifo(place.base / "sv/a/run")
    assert place.apply(grow(place.base, [Unit("a")])).ok
    assert (place.base / "sv/a/run").read_bytes() == Unit("a").run


def test_a_second_apply_is_told_who_holds_the_lock(place: Place) -> None:
    told = rf"held by pid {os.getpid()} \(apply\) since "
    with place.machine() as one, one.lock(command="apply"), place.machine() as other:
        with pytest.raises(LockHeldError, match=told), other.lock(timeout=0.05):
            pass
        (place.library / "lock").write_text("")  # as where a program that says nothing there has it
        with pytest.raises(LockHeldError, match=rf"held by pid {os.getpid()}; "), other.lock(timeout=0.05):
            pass


def test_check_writes_nothing(place: Place) -> None:
    tree = grow(place.base, [Unit("a")])
    place.plan(tree)
    assert list(place.base.iterdir()) == []


def test_a_read_only_place_is_an_error_that_names_the_path(place: Place) -> None:
    target = Path("/proc/self/task")  # nobody, not even root, makes anything there
    with pytest.raises(HostError, match="/proc/self/task"):
        place.apply(grow(target, [Unit("a")]))


def test_a_place_that_is_not_there_is_told_with_the_key_that_asks_for_it(place: Place) -> None:
    with pytest.raises(HostError) as caught:
        place.plan(grow(place.base / "nowhere", [Unit("a")]))
    assert str(caught.value).startswith(
        f"data.yaml:3:1: runit.services: {place.base}/nowhere: no such directory, and {place.base}/nowhere/service is to lie in it; "
    )


@pytest.mark.parametrize("target", ["elsewhere", "sv", "file"])
def test_a_link_to_no_directory_in_the_place_of_a_shared_one_is_told_before_anything_changes(place: Place, target: str) -> None:
    whole = grow(place.base, [Unit("a")])
    shared = replace(whole.nodes[0], entry=Directory(0o755, shared=True))
    tree = replace(whole, nodes=(shared, *whole.nodes[1:]))
    (place.base / "file").touch()
    (place.base / "sv").symlink_to(target)
    before = place.listing()
    with pytest.raises(HostError) as caught:
        place.apply(tree)
    assert str(caught.value) == (
        f"data.yaml:3:1: runit.services: {place.base}/sv: is a link to {target}, where there is no directory; "
        "make that directory, or take the link away"
    )
    assert place.listing() == before


def test_a_link_in_the_place_of_a_shared_directory_is_followed(place: Place) -> None:
    whole = grow(place.base, [Unit("a")])
    shared = replace(whole.nodes[0], entry=Directory(0o755, shared=True))
    (place.base / "elsewhere").mkdir()
    (place.base / "sv").symlink_to("elsewhere")
    assert place.apply(replace(whole, nodes=(shared, *whole.nodes[1:]))).ok
    assert (place.base / "elsewhere/a/run").exists()


def test_check_changes_nothing_that_the_kernel_knows_of(place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every system call of a look at a host that is as it should be, and of one that is not."""
    strace = oracle.program("strace", package="strace")
    tree = [Unit("a", files={"env/ONE": (b"1\n", Effect.RESTART)})]
    place.apply(grow(place.base, tree))
    before = place.everything()
    code = f"""
from pathlib import Path
from support.places import Place
from support.trees import Unit, grow
place = Place(Path({str(place.base)!r}))
assert not place.plan(grow(place.base, [Unit("a"), Unit("b")])).empty
"""
    trace = tmp_path_factory.mktemp("trace") / "trace"
    tracing = [strace, "-f", "-qq", "-e", "trace=%file,%desc", "-o", str(trace)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    subprocess.run([*tracing, sys.executable, "-c", code], check=True, env=environment, timeout=waiting.DEADLINE)
    calls = trace.read_text().splitlines()
    changing = re.compile(
        r"^\d+ +(mkdir|rename|unlink|rmdir|symlink|link|f?truncate|f?chmod|f?l?chown|utime|mknod|p?write|fallocate)|O_CREAT|O_TRUNC"
    )
    assert len(calls) > 100
    assert [call for call in calls if changing.search(call)] == []
    assert place.everything() == before


def test_what_decides_and_applies_imports_no_library_beside_the_standard_one() -> None:
    code = "import sys, runit_provision.apply, runit_provision.plan, runit_provision.host; print(*sys.modules)"
    python = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=waiting.DEADLINE)
    modules = {name.partition(".")[0] for name in python.stdout.split()}
    assert modules.isdisjoint({"pydantic", "jinja2", "rich", "click", "yaml", "ruamel", "ctypes", "subprocess", "socket"})
