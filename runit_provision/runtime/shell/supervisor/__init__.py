"""runsvdir, its stand-in and a runsv of its own: a tree of services; runsvdir(8)."""
