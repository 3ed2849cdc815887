"""A plan carried out: journalled, atomic, resumable; and undone."""

from runit_provision.apply.logins import begin_logins, settle_logins
from runit_provision.apply.report import Report
from runit_provision.apply.run import apply, apply_or_undo, plan_rollback, rollback
from runit_provision.apply.teller import Progress, Teller

__all__ = ["Progress", "Report", "Teller", "apply", "apply_or_undo", "begin_logins", "plan_rollback", "rollback", "settle_logins"]
