"""Puppet's types: their expressions, what is of them, and what convert_to makes of a value."""
