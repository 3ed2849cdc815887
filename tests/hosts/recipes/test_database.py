"""The examples' database and its copy in memory, with a real PostgreSQL; as root on a host of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import oracle, waiting

from .conftest import World

BIN = "/usr/lib/postgresql/15/bin"
REPLICA = 5434


def sql(world: World, words: str, *, port: int = 5432) -> str:
    """Ask the server on `port` as its owner; give what it and psql say."""
    return world.sh(f'{BIN}/psql -X -q -A -t -p {port} -c "{words}" postgres', user="postgres", check=False).strip()


def arrives(world: World, row: str) -> None:
    """Wait until the replica has `row`."""
    waiting.until(lambda: row in sql(world, "SELECT said FROM rows", port=REPLICA).splitlines(), what=f"{row} on the replica")


@pytest.mark.shows("recipes", "postgresql, pg_shm", "seen")
def test_a_copy_in_memory_follows_is_interrupted_with_its_original_and_comes_back_by_itself(world: World) -> None:
    if not Path(BIN).exists():
        oracle.absent("postgres is not installed (package postgresql)")
    world.host.run("mount", "-t", "tmpfs", "-o", "mode=1777", "shm", "/dev/shm")
    world.host.run("install", "-d", "-o", "postgres", "/var/lib/postgresql")  # the package's, below a fresh /var
    world.provision("database", "postgresql", "pg_shm")
    world.boot()
    waiting.until(lambda: world.sh("sv -w 5 check pg_shm", check=False).startswith("ok: run: pg_shm: "), what="the replica")

    assert sql(world, "CREATE TABLE rows (said text); INSERT INTO rows VALUES ('first')") == ""
    arrives(world, "first")
    assert sql(world, "SELECT pg_is_in_recovery()", port=REPLICA) == "t"
    assert "read-only" in sql(world, "INSERT INTO rows VALUES ('no')", port=REPLICA)
    assert world.sh("stat -f -c %T /dev/shm/pg_shm/PG_VERSION") == "tmpfs\n"
    replica = world.running("pg_shm")
    assert world.logged("pg_shm", "ready to accept read-only connections")
    assert world.sh("readlink /etc/sv/pg_shm/log/run").endswith("/rsvlog\n")

    client = f"{BIN}/psql -X -c 'SELECT 17 FROM pg_sleep(1000)' postgres"
    world.sh(f"({client} >/dev/null 2>&1 </dev/null &)", user="postgres")
    waiting.until(lambda: sql(world, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT 17%'") == "1", what="a client")
    assert world.sh("sv -v -w 60 down postgresql").startswith("ok: down: postgresql: "), "no client holds it up"
    waiting.until(lambda: "refused" in sql(world, "SELECT", port=REPLICA) or "No such file" in sql(world, "SELECT", port=REPLICA))
    assert world.logged("pg_shm", "received fast shutdown request")

    world.sh("sv -w 60 up postgresql")
    waiting.until(lambda: sql(world, "INSERT INTO rows VALUES ('second')") == "", what="the original")
    arrives(world, "second")
    assert "first" in sql(world, "SELECT said FROM rows", port=REPLICA)
    assert world.running("pg_shm") != replica
