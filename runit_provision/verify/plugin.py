"""The pytest plugin: fixtures that ask a host, through testinfra, how its services fare."""
