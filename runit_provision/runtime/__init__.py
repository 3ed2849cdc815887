"""The Python runit: standard library only, installable and running alone."""
