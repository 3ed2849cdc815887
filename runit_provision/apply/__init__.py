"""A plan carried out: journalled, atomic, resumable; and undone."""

from runit_provision.apply.report import Report
from runit_provision.apply.run import apply, plan_rollback, rollback

__all__ = ["Report", "apply", "plan_rollback", "rollback"]
