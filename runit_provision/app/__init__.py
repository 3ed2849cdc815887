"""The use cases, and the only place where the parts are wired together.

`source` says where the data comes from. `desired` makes it the tree that it means. `provision` plans, applies, checks and undoes.
Import the module that is needed: each draws in only its own parts.
"""
