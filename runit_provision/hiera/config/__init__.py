"""hiera.yaml: the levels that it names, and the files that they mean for one node."""
