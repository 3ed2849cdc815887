"""Whether a service is down because its `finish` gave it up, or because a person wanted it so: also while `finish` is at work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.supervised import FakeSupervisor

from runit_provision.host.ground import Ground
from runit_provision.host.letters import lives
from runit_provision.runtime.wire import status

NOW = 1_700_000_000_000_000_000
EARLIER = NOW - 60_000_000_000


@pytest.mark.parametrize(
    ("state", "want", "since", "left", "gave_up"),
    [
        (status.DOWN, status.WANT_DOWN, NOW, EARLIER, True),
        (status.FINISH, status.WANT_DOWN, EARLIER, NOW, True),
        (status.FINISH, status.WANT_DOWN, NOW, EARLIER, False),  # left at an end before this run: it is a person who stops it
        (status.RUN, status.WANT_DOWN, NOW, EARLIER, False),
        (status.FINISH, status.WANT_UP, EARLIER, NOW, False),
        (status.DOWN, status.WANT_DOWN, NOW, None, False),
    ],
)
def test_finish_leaves_word_that_counts_until_the_next_run(
    tmp_path: Path, state: int, want: int, since: int, left: int | None, gave_up: bool
) -> None:
    pid = 0 if state == status.DOWN else os.getpid()
    supervisor = FakeSupervisor(tmp_path / "it", status.pack(status.Status(since_ns=since, pid=pid, state=state, want=want)))
    if left is not None:
        (tmp_path / "it/gave_up").touch()
        os.utime(tmp_path / "it/gave_up", ns=(left, left))
    root = os.open("/", os.O_PATH)
    (life,) = lives(Ground(root, str(tmp_path)), [str(tmp_path / "it")])
    os.close(root)
    supervisor.stop()
    assert life == (True, state == status.RUN, want == status.WANT_UP, pid, since, gave_up, True)
