"""The Python runit: standard library only, installable and running alone."""

VERSION = "0.1.0"
NAME_AND_VERSION = b"runit-provision %s\n" % VERSION.encode()
"""What -V prints."""
