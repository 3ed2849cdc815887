"""The process that all services of a tree are children of, and the holders that keep their FIFOs open."""
