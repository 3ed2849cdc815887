"""Hard limits, above which no service can go; getrlimit(2), proc(5)."""

from __future__ import annotations

from pathlib import Path

_ROWS = {
    "memory": "Max address space",
    "data": "Max data size",
    "stack": "Max stack size",
    "resident": "Max resident set",
    "files": "Max open files",
    "processes": "Max processes",
    "file_size": "Max file size",
    "core": "Max core file size",
    "cpu": "Max cpu time",
}


USUAL = {"files": 1 << 20}
"""What no hard limit exceeds unless the machine's fs.nr_open says more; proc_sys_fs(5)."""


def of_parent(pid: int) -> dict[str, int]:
    """Give the hard limits of the parent of `pid` by the data's names, without the unlimited ones; nothing when either has gone."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return _of_process(int(words[1]))
    except (OSError, ValueError, IndexError):
        return {}


def _of_process(pid: int) -> dict[str, int]:
    try:
        lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    except OSError:
        return {}
    found = {}
    for name, row in _ROWS.items():
        words = next((line.removeprefix(row).split() for line in lines if line.startswith(row)), [])
        if len(words) > 1 and words[1].isdigit():
            found[name] = int(words[1])
    return found


def of_kernel() -> dict[str, int]:
    """Give what no hard limit on this machine can exceed."""
    try:
        return {"files": int(Path("/proc/sys/fs/nr_open").read_text())}
    except (OSError, ValueError):
        return {}
