"""What `facter` says of this machine."""

from __future__ import annotations

import os
import subprocess

from runit_provision.errors import HostError, Problem
from runit_provision.inputs import Inputs

NAME = "facter"
_PLACES = "/opt/puppetlabs/bin:/usr/local/bin:/usr/bin"
"""Where it lies, beside PATH: what runs from cron or sudo often does not look there."""
_PATIENCE = 60.0
"""Seconds: a cloud's metadata may be slow to answer."""


def facts(inputs: Inputs, *, legacy: bool) -> str | None:
    """Give what `facter --json` prints, or None where there is no facter. legacy: the flat facts too, which Puppet 8 leaves out.

    Raises HostError when it fails. Source: facter(8).
    """
    places = f"{inputs.variable('PATH') or ''}:{_PLACES}".split(":")
    program = next((path for path in (os.path.join(place, NAME) for place in places) if inputs.program(path)), None)
    if program is None:
        return None
    inputs.repeatable = False  # uptime, load and free memory are never the same
    hint = "give the facts with --facts FILE or --fact NAME=VALUE"
    try:
        ran = subprocess.run(
            [program, "--json", *(["--show-legacy"] if legacy else [])],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise HostError(Problem(f"did not answer within {_PATIENCE:.0f} s", key=program, hint=hint)) from None
    except OSError as error:
        raise HostError(Problem(f"cannot run it: {error.strerror}", key=program, hint=hint)) from None
    if ran.returncode != 0 and not ran.stdout.strip():  # it also exits 1 when one fact alone cannot be told, as in a container
        said = ran.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise HostError(Problem(f"failed with status {ran.returncode}" + (f": {said}" if said else ""), key=program, hint=hint))
    return ran.stdout.decode(errors="replace")
