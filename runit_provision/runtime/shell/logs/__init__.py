"""A log directory, and svlogd over it; svlogd(8)."""
