"""What happens to services, counted in words: before it is done, and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from runit_provision.model.plan import OF_LOG, ServiceStep, Verb

_WORDS = {
    Verb.START: ("to start", "started"),
    Verb.STOP: ("to stop", "stopped"),
    Verb.RESTART: ("to restart", "restarted"),
    Verb.RENEW: ("to renew", "renewed"),
    Verb.HUP: ("to signal (HUP)", "signalled (HUP)"),
    Verb.TERM: ("to signal (TERM)", "signalled (TERM)"),
    Verb.LOG_HUP: ("to signal (HUP)", "signalled (HUP)"),
    Verb.LOG_RESTART: ("to restart", "restarted"),
    Verb.LEAVE: ("to leave as it runs", "left as it runs"),
}
_NOUNS = ("service", "log service")


def counted(calls: Iterable[ServiceStep], *, done: bool = False) -> list[str]:
    """Give a phrase for each verb, in the order in which they come first: `2 services to start`; `done`: `2 services started`."""
    numbers = Counter(call.verb for call in calls)
    return [f"{number} {_NOUNS[verb in OF_LOG]}{'s' * (number != 1)} {_WORDS[verb][done]}" for verb, number in numbers.items()]
