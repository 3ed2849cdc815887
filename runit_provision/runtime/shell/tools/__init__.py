"""What chpst, runit-init, runsvchdir and utmpset do."""
