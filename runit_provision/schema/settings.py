"""Numbers of the data that only the shipped supervisor reads, each from a file of its own; runtime/shell/service/settings.py."""

from __future__ import annotations

from runit_provision.model.service import Setting
from runit_provision.schema.place import Place
from runit_provision.schema.problems import Path
from runit_provision.schema.service_spec import ServiceSpec


def read_settings(spec: ServiceSpec, killed_after: int | None, place: Place, path: Path) -> tuple[Setting, ...]:
    """Give those that the service at `path` of the data asks for; killed_after: seconds from TERM on, or None."""
    finishes = spec.finish.seconds if spec.finish else None
    if finishes and spec.restart and spec.restart.back_off >= finishes:
        message = f"finish would be killed before it has waited {spec.restart.back_off} s, as `restart.back_off` asks"
        place.problems.add((*path, "finish", "seconds"), message, hint="give it more, or use `max_delay`")
    # What is made of parts sees to it itself, under any runtime.
    told = finishes if spec.finish and spec.finish.run else None
    if not place.shipped:
        asked = {
            ("ready",): (spec.ready, "say with `check` when it is of use"),
            ("max_delay",): (spec.max_delay, "`restart.back_off` waits under any"),
            ("kill_orphans",): (spec.kill_orphans, "keep the program in the foreground"),
            ("finish", "seconds"): (told, "call `timeout` in it"),
        }
        for key, (value, hint) in asked.items():
            if value is not None:
                place.problems.add((*path, *key), "is heard by the shipped runtime alone", hint=hint)
    found = (
        ("notification-fd", spec.ready, 1, "ready"),
        ("timeout-kill", killed_after, 1000, "stop"),
        ("timeout-finish", told, 1000, "finish"),
        ("max-delay", spec.max_delay, 1000, "max_delay"),
        ("kill-orphans", spec.kill_orphans, 1000, "kill_orphans"),
    )
    return tuple(Setting(name, value * unit, key, restarts=key == "ready") for name, value, unit, key in found if value is not None)
