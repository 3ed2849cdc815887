"""From what the data means and what a host is like to what is to be done; no disk."""

from runit_provision.plan.decide import decide
from runit_provision.plan.describe import describe, to_json
from runit_provision.plan.logins import decide_logins
from runit_provision.plan.scope import is_about
from runit_provision.plan.settled import settled
from runit_provision.plan.undo import undo
from runit_provision.plan.unmade import Unmade

__all__ = ["Unmade", "decide", "decide_logins", "describe", "is_about", "settled", "to_json", "undo"]
