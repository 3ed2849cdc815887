"""Who has a variable in its environment."""

from __future__ import annotations

import os
import subprocess
import sys

LOOK = """
import os, resource, sys
from runit_provision.runtime.shell import marked
if os.geteuid() == 0:
    os.setuid(65534)
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
try:
    os.fork()
except BlockingIOError:
    print(marked.Search([b"MARK=it"]).among(map(int, sys.argv[1:])))
"""


def test_it_is_found_though_there_is_no_room_for_one_more_process() -> None:
    """What is looked for may be what takes all of the room: a service's daemons, which would never be killed."""
    user = 65534 if os.geteuid() == 0 else None
    with (
        subprocess.Popen(["sleep", "1000"], env={"PATH": os.environ["PATH"], "MARK": "it"}, user=user) as marked,
        subprocess.Popen(["sleep", "1000"], env={"PATH": os.environ["PATH"], "MARK": "other"}, user=user) as other,
    ):
        try:
            command = [sys.executable, "-c", LOOK, str(marked.pid), str(other.pid)]
            found = subprocess.run(command, capture_output=True, text=True, check=True)
        finally:
            for process in (marked, other):
                process.kill()
    assert found.stdout == f"{{{marked.pid}}}\n"
