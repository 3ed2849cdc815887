"""What the examples say of logs, every directive of svlogd's config seen at work; as root on a host of its own."""

from __future__ import annotations

import pytest
from support import oracle, waiting

from .conftest import LOG_HOST, LOGWATCHER, World

LOG = "/var/log/runit/sshd"
WRITTEN = ["s100000", "N5", "t24h", "u192.168.6.20", "pSSHD_LOG ", "-bougyman", "e*: error: *", "E*Broken pipe*", "!logwatcher"]


@pytest.fixture
def sshd(world: World) -> World:
    """The example's server with nothing but sshd, and with the network's log host in the same network."""
    oracle.program("sshd", package="openssh-server")
    world.host.run("mount", "-t", "tmpfs", "local", "/usr/local/bin")
    world.host.write("/usr/local/bin/logwatcher", LOGWATCHER, mode=0o755)
    world.host.run("ip", "address", "add", "192.168.6.20/32", "dev", "lo")
    world.host.start("/usr/bin/python3", "-c", LOG_HOST)
    world.until("grep -i :0202 /proc/net/udp", what="the log host listens")
    world.host.run("mount", "-t", "tmpfs", "-o", "size=4m", "log", "/var/log")
    world.provision("server", "sshd")
    world.boot()
    world.running("sshd")
    world.logged("sshd", "Server listening")
    return world


def say(world: World, *lines: str) -> None:
    """Write lines to the standard error of the sshd that runs, as it does itself."""
    pid = world.running("sshd")
    world.host.run("sh", "-c", f"cat >/proc/{pid}/fd/2", stdin="".join(f"{line}\n" for line in lines))


def title(world: World) -> str:
    """Give what the title of runsvdir shows of standard error."""
    return world.sh("tr '\\0' ' ' </proc/$(pgrep -o -x runsvdir)/cmdline")


def old(world: World) -> list[str]:
    """Give the names of the old files, the oldest first."""
    return world.sh(f"cd {LOG} && ls -d @* 2>/dev/null", check=False).split()


@pytest.mark.shows("recipes", "sshd's log", "seen")
@pytest.mark.shows("data", "log", "prefix", "filters", "remote")
@pytest.mark.shows("data", "remote", "address")
def test_lines_are_prefixed_dropped_alerted_and_sent_to_the_log_host(sshd: World) -> None:
    assert sorted(sshd.sh(f"cat {LOG}/config").splitlines()) == sorted(WRITTEN)  # n10 is svlogd's own default
    say(sshd, "bougyman", "here is bougyman", "fatal: error: Broken pipe", "fatal: error: no such key")
    line = sshd.logged("sshd", "no such key")
    assert line.endswith(" SSHD_LOG fatal: error: no such key")
    assert sshd.sh(f"grep -c bougyman {LOG}/current") == "1\n", "the pattern covers the whole line"
    waiting.until(lambda: "no such key" in title(sshd), what="the alert")
    assert "Broken pipe" in sshd.sh(f"cat {LOG}/current")
    assert "Broken pipe" not in title(sshd)
    sshd.until("grep -a 'SSHD_LOG fatal: error: no such key' /var/udp.got")
    got = sshd.sh("grep -a bougyman /var/udp.got")
    assert got.endswith(" SSHD_LOG here is bougyman\n")
    assert got.count("\n") == 1


@pytest.mark.shows("recipes", "sshd's log", "seen")
@pytest.mark.shows("data", "log", "size", "keep", "processor")
def test_files_have_their_size_each_is_processed_and_ten_are_kept(sshd: World) -> None:
    say(sshd, *(f"number {number:06}" for number in range(40_000)))  # 49 bytes each with its stamp: 19 files
    # svlogd looks at the number when it rotates, and does not count the file that is still to be processed then.
    waiting.until(lambda: [name[-2:] for name in old(sshd)] == [".s"] * (10 + 1), what="ten old files and the last, each processed")
    for name in old(sshd):
        lines = sshd.sh(f"cat {LOG}/{name}").splitlines()
        assert all(line.startswith("watched: ") for line in lines)
        size = sum(len(line) - len("watched: ") + 1 for line in lines)
        assert 100_000 - 1000 <= size <= 100_000, "rotated between lines, as near below the size as a line may be long"
    kept = [int(word) for word in sshd.sh(f"cat {LOG}/@* {LOG}/current | sed -n 's/.*number //p'").split()]
    assert kept == list(range(kept[0], 40_000)), "the newest lines, without a gap"


@pytest.mark.shows("recipes", "sshd's log", "seen")
@pytest.mark.shows("data", "log", "keep_min")
def test_a_full_disk_costs_old_files_down_to_five_and_no_new_line(sshd: World) -> None:
    say(sshd, *(f"number {number:06}" for number in range(28_400)))  # 49 bytes each with its stamp: 14 files and a little
    waiting.until(lambda: [name[-2:] for name in old(sshd)] == [".s"] * (10 + 1), what="as many old files as there may be")
    said = 28_400

    def say_on_a_full_disk() -> None:
        """Take all the room that there is, then have more than a page written."""
        nonlocal said
        sshd.sh("cat /dev/zero >>/var/log/filler", check=False)
        say(sshd, *(f"number {number:06}" for number in range(said, said + 100)))
        said += 100

    for left in range(10, 4, -1):
        say_on_a_full_disk()
        waiting.until(lambda left=left: len(old(sshd)) == left, what=f"{left} old files")  # type: ignore[misc]
    say_on_a_full_disk()
    waiting.until(lambda: "pausing" in title(sshd), what="the warning")
    assert len(old(sshd)) == 5
    sshd.sh("rm /var/log/filler")
    sshd.logged("sshd", f"number {said - 1:06}")
    kept = [int(word) for word in sshd.sh(f"cat {LOG}/@* {LOG}/current | sed -n 's/.*number //p'").split()]
    assert kept == list(range(kept[0], said))


@pytest.mark.shows("recipes", "sshd's log", "seen")
@pytest.mark.shows("data", "log", "age")
def test_a_day_rotates_without_a_line_to_write(sshd: World) -> None:
    library = sshd.host.run("sh", "-c", "ls /usr/lib/*/faketime/libfaketimeMT.so.1", check=False).stdout.strip()
    if not library:
        oracle.absent("libfaketime is not installed (package faketime)")
    # A clock that runs 20,000 times as fast: a day takes some seconds.
    sshd.sh(f"mkdir -m 0755 /var/daily && grep t24h {LOG}/config >/var/daily/config && mkfifo /var/line")
    fast = {"LD_PRELOAD": library, "FAKETIME": "+0 x20000", "PATH": "/var/runit/bin:/usr/bin:/bin"}
    sshd.host.start("sh", "-c", "exec svlogd -tt /var/daily <>/var/line", env=fast)
    sshd.sh("echo good morning >/var/line")
    file = sshd.until("ls -d /var/daily/@*.s")
    assert sshd.sh(f"cat {file}").endswith(" good morning\n")
    assert sshd.sh("cat /var/daily/current") == ""
