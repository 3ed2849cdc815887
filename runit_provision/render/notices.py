"""What a service's end tells others: lines of `finish`; sv(8)."""

from __future__ import annotations

from runit_provision.model.ending import Notice
from runit_provision.render.quoting import join, quote


def line(notice: Notice) -> str:
    """Give the line that tells one service, as the one in whose hands its directory lies. It waits for nothing."""
    told = join(("sv", notice.verb, notice.directory))
    if notice.verb in ("up", "restart"):
        # One that is on its way out is left alone: `up` would have it come back.
        told = f"grep -qs 'want exit' {quote(f'{notice.directory}/supervise/stat')} || {told}"
    if notice.account is not None:
        told = f'env -i PATH="$PATH" chpst -u {quote(notice.account)} sh -c {quote(told)}'
    return f"{told} >/dev/null 2>&1"
