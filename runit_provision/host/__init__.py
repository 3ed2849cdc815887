"""The only code that touches a host: accounts, files, services, inits, the shipped runtime."""

from runit_provision.host.machine import Machine

__all__ = ["Machine"]
