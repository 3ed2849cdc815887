"""How many descriptors a process may have open: getrlimit(2), RLIMIT_NOFILE."""

from __future__ import annotations

_SPARE_MAX = 64


def spare(most: int) -> int:
    """Give how many of `most` descriptors are for other things than what a supervisor or a holder has open of services."""
    return min(_SPARE_MAX, most // 4)


def allow_all() -> tuple[int, int]:
    """Allow this process as many as its hard limit lets; give the soft limit that it had, and the hard one.

    A tree's supervisor, holder and pool have several open for each service. Services must not inherit that: their table would be as
    large, and some daemons close every descriptor that they may have.
    """
    import resource  # a shared library: not at the start of every tool

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return soft, hard


def allow(soft: int) -> None:
    """Take back what `allow_all` allowed; soft: what it gave."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
