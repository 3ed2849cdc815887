"""Runit services for hosts and their users, from hiera data; and the runit that supervises them."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - pip refuses it, but a host's python3 can be another one later
    sys.exit("runit-provision needs Python 3.11 or later; this is Python %d.%d" % sys.version_info[:2])  # noqa: UP031 - as it reads it
