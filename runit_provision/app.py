"""The use cases, and the only place where the parts are wired together."""
