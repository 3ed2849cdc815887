"""What data are written in: YAML, JSON, HOCON and encrypted values, read as Puppet reads them, every item with its place."""
