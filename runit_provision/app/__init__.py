"""The use cases, and the only place where the parts are wired together.

`source` says where the data comes from and gives the `runit` hash. Import the module that is needed: each draws in only its own parts.
"""
