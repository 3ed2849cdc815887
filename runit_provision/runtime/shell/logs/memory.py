"""What a logger keeps of the memory that it has freed."""

from __future__ import annotations

_KEPT = 1 << 20
"""Bytes of free memory; a chunk with stamps takes a third of it."""


def keep_freed_memory() -> None:
    """Let the memory of a chunk be that of the next one.

    glibc gives memory back that is free at the heap's end, from 128 KiB on, so that each chunk of 64 would be paged in anew: a third of
    all time. What is freed at once raises that limit to twice its size; mallopt(3), M_MMAP_THRESHOLD.
    """
    bytes(_KEPT // 2)
