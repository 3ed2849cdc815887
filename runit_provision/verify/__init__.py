"""Whether services live as the data says: looked at through a POSIX shell, on this host or through testinfra on another."""
