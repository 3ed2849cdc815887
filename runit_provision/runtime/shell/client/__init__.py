"""sv: services asked and told by what lies in supervise/; sv(8)."""
